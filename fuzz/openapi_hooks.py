"""What schemathesis cannot generate: credentials, and identifiers that only the service issues.

`fuzz/openapi.toml` names this module, and schemathesis imports it into a process of its own.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import schemathesis
from schemathesis import AuthContext, Case, HookContext, Response

from fuzz.config import ORIGIN
from fuzz.fixtures import Props, basic
from fuzz.response_checks import Answer
from handlers.assets import SCRIPTS

_CLIENT: Final = "club"
"""It asks nothing after a scan, so codes can be made for it."""
_FIXED: Final = {"method": "scan", "account": "safe", "client_id": _CLIENT, "return_url": f"{ORIGIN}/account"}
"""Fields whose accepted values are in the configuration."""
_ISSUED: Final = {
    "ticket": ("ticket", "secret"),
    "session": ("session", "session_secret"),
    "token": ("link", ""),
    "capability": ("qr", ""),
    "code": ("code", ""),
    "registration": ("registration", ""),
}
"""Fields whose accepted values the service issues: their names in Props, and those of their secrets."""
_LINK: Final = ("link_session", "link")
"""A session that is not open yet, and the token of its link."""

schemathesis.serializer.alias("application/jose", "text/plain")

_secrets: Final[dict[str, str]] = {}
"""The secrets of tickets and sessions, by their ids."""


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """Adds credentials to requests, and existing tickets and sessions to those that must be accepted.

    Both in one place, because a secret belongs to the ticket in the address.
    """

    def get(self, case: Case, _: AuthContext) -> dict[str, str] | None:
        """Return the headers that authenticate the caller; None for an operation without security."""
        if _must_pass(case):
            _fill(case)
        schemes = {name for one in case.operation.definition.raw["security"] for name in one}
        if "page" in schemes and _of_page(case.body):
            return {"Origin": ORIGIN}
        if "site" in schemes:
            return {"Authorization": f"Basic {basic(_CLIENT)}"}
        held = (case.path_parameters or {}).get("ticket") or (case.path_parameters or {}).get("session")
        return {"Authorization": f"Bearer {_secrets.get(str(held), 'x')}"} if schemes else None

    def set(self, case: Case, headers: dict[str, str], _: AuthContext) -> None:
        """Put the headers on the request."""
        case.headers.update(headers)


@schemathesis.hook  # type: ignore[untyped-decorator]
def filter_case(_: HookContext, case: Case) -> bool:
    """Leave out unprintable user ids that the documented pattern does not exclude (handlers/http/patterns.py)."""
    return not _must_pass(case) or all(text.isprintable() for text in _user_ids(case))


@schemathesis.hook  # type: ignore[untyped-decorator]
def after_call(_: HookContext, __: Case, response: Response) -> None:
    """Remember the secret of a new ticket."""
    if response.status_code in (200, 201) and b'"secret":' in response.content:
        made = response.json()
        if "ticket" in made:
            _secrets[made["ticket"]] = made["secret"]


def _must_pass(case: Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def _user_ids(case: Case) -> Iterator[str]:
    body = case.body if isinstance(case.body, dict) else {}
    for fields in (case.path_parameters or {}, case.query or {}, body):
        yield unquote(str(fields.get("user_id", "")))


def _of_page(body: Any) -> bool:
    """Tell whether a page may send *body*: a login that names its client and says nothing of its visitor."""
    return (
        isinstance(body, dict)
        and (body.get("purpose"), body.get("client_id")) == ("login", _CLIENT)
        and body.get("visitor") is None
    )


def _fill(case: Case) -> None:
    for container in ("path_parameters", "query", "body"):
        fields = getattr(case, container)
        if isinstance(fields, dict):
            good = {name: _good(case, name, value) for name, value in fields.items() if value is not None}
            setattr(case, container, {**fields, **good})
    if isinstance(case.body, dict) and case.body.get("state") is not None:
        case.body["return_url"] = _FIXED["return_url"]  # a bind takes a state only with it (contract.md 4)


def _good(case: Case, name: str, value: Any) -> Any:
    """Return a value that the service accepts in the field *name*: *value* itself unless it must exist."""
    if name in _FIXED:
        return _FIXED[name]
    if name == "version":
        return SCRIPTS[case.path_parameters["script"]].version
    opens = (case.operation.method, case.path) == ("post", "/v1/portal-sessions/{session}/open")
    what, proof = _LINK if opens else _ISSUED.get(name, ("", ""))
    if not what or value in _secrets:  # a ticket of an earlier request, by a link of the document
        return value
    props = _props(case.operation.schema.get_base_url())
    asyncio.run(props.renew({what}))
    issued = props.values[what].decode()
    if proof:
        _secrets[issued] = props.values[proof].decode()
    return issued


@cache
def _props(url: str) -> Props:
    address = urlsplit(url)
    return Props(_Remote(address.hostname or "", address.port or 80))


@dataclass(frozen=True, slots=True)
class _Remote:
    """The service, reached over the network."""

    host: str
    port: int

    async def ask(self, request: bytes) -> Answer:
        """Send one whole request, which asks for the connection to be closed. Raises OSError."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(request)
        raw = await reader.read()
        writer.close()
        return Answer.read(raw)
