"""Makes a configuration of answers, with generated secrets, each in a file of its own."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from service.config.settings import validate
from service.config.types import EMBEDDED
from service.crypto.client_secrets import fresh_secret, hash_of
from service.crypto.secret_key_file import fresh_key
from service.setup.kinds import KINDS
from service.setup.questions import Answer

FOLDER: Final = "secrets"
"""The folder of the secrets, beside the configuration."""
_SIGNS: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be written. The client's secret is not: the configuration has its hash."""

    kind: str
    values: Mapping[str, Any] = field(repr=False)
    """All settings, shaped like the file, with the secrets in their places."""
    secrets: tuple[tuple[str, ...], ...]
    """The paths of the settings that are to stand in files of their own."""
    client: str
    client_secret: str = field(repr=False)

    @property
    def account(self) -> Mapping[str, Any]:
        """The settings of the account or application."""
        kind = KINDS[self.kind]
        return dict(self.values[kind.part][kind.name])


def draft(answers: Mapping[str, Answer]) -> Draft:
    """Return the configuration for *answers*, checked as a whole. Raises ConfigError."""
    kind, secret = KINDS[str(answers["kind"])], fresh_secret()
    stores = {part: answers[f"{part}_url"] for part in ("database", "redis")}
    own = [(part, "url") for part, url in stores.items() if url != EMBEDDED]
    values: dict[str, Any] = {
        "server": {"public_url": answers["public_url"], "host": "127.0.0.1", "port": 8080, "trusted_proxies": []},
        "data_dir": "var",
        **{part: {"url": url} for part, url in stores.items()},
        **({"secret_key": fresh_key()} if own else {}),
        kind.part: {kind.name: _account(answers)},
        "clients": {str(answers["client"]): _client(answers, secret)},
    }
    validate(values)
    in_account = [key for key in ("secret", "token", "aes_key") if key in values[kind.part][kind.name]]
    paths = [*own, *([("secret_key",)] if own else []), *((kind.part, kind.name, key) for key in in_account)]
    return Draft(
        kind=str(answers["kind"]),
        values=values,
        secrets=tuple(paths),
        client=str(answers["client"]),
        client_secret=secret,
    )


def _account(answers: Mapping[str, Answer]) -> dict[str, Any]:
    kind = KINDS[str(answers["kind"])]
    told = {name.removeprefix("account_"): answers[name] for name in kind.asked if answers[name]}
    if "agentid" in told:
        told["agentid"] = int(str(told["agentid"]))  # type: ignore[assignment]  # a number is easier to read
    return {**kind.settings, **told, **{name: _GENERATORS[name]() for name in kind.generated}}


def _client(answers: Mapping[str, Answer], secret: str) -> dict[str, Any]:
    kind = KINDS[str(answers["kind"])]
    addresses = {name: list(answers[name]) for name in ("origins", "return_urls") if name in answers}
    return {
        "name": answers["client_name"],
        "secret_hash": hash_of(secret.encode()),
        kind.part: [kind.name],
        "methods": [kind.method.value],
        **addresses,
    }


def fresh_token() -> str:
    """Return a new Token: 32 letters and digits, the most that WeChat's console takes."""
    return "".join(secrets.choice(_SIGNS) for _ in range(32))


def fresh_aes_key() -> str:
    """Return a new EncodingAESKey: the base64 of 32 bytes, of letters and digits alone."""
    # The last of 43 characters has two bits more than the key: they are zero.
    return "".join(secrets.choice(_SIGNS) for _ in range(42)) + secrets.choice("AEIMQUYcgkosw048")


_GENERATORS: Final = {"token": fresh_token, "aes_key": fresh_aes_key}
