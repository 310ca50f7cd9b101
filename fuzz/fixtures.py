"""The values that cases name: existing tickets, secrets, one-time codes and sessions, replaced once used."""

import base64
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from fuzz.case import Case
from fuzz.config import ACCOUNTS, CLIENTS, ORIGIN
from fuzz.response_checks import Answer
from fuzz.sealing import push

Made = dict[str, str]
USER: Final = "user-1"


def basic(client: str) -> str:
    """Return the credentials of a client's back end for `Authorization: Basic`."""
    return base64.b64encode(f"{client}:{CLIENTS[client]}".encode()).decode()


class Asked(Protocol):
    """A service, however it is reached."""

    async def ask(self, request: bytes) -> Answer:
        """Send one whole request. Raises Fault when it is not answered."""


class Props:
    """The values of the names in cases; `renew` replaces those that a case has used up."""

    def __init__(self, service: Asked) -> None:
        self._service = service
        self._people = (f"oFuzz{number:023d}" for number in itertools.count())
        self._makers: Mapping[frozenset[str], Callable[[], Awaitable[Made]]] = {
            frozenset({"ticket", "secret", "tag", "qr"}): self._login,
            frozenset({"bind_ticket", "bind_secret", "scene"}): self._bind,
            frozenset({"link", "link_session"}): self._link,
            frozenset({"session", "session_secret"}): self._session,
            frozenset({"code"}): self._code,
            frozenset({"registration"}): self._registration,
        }
        self.values: dict[str, bytes] = {
            "basic": basic("shop").encode(),
            "basic_club": basic("club").encode(),
            "origin": ORIGIN.encode(),
            "gh_id": ACCOUNTS["safe"].gh_id.encode(),
            "pad": b"a" * 100_000,
            "digits": b"9" * 10_000,
            "deep": b"[" * 50_000,
        }

    async def renew(self, names: Iterable[str] | None = None) -> None:
        """Replace the values of *names*, and those created together with them; all when None."""
        for group, make in self._makers.items():
            if names is None or not group.isdisjoint(names):
                self.values |= {name: value.encode() for name, value in (await make()).items()}

    async def call(
        self, method: str, path: str, body: Any = None, *, client: str = "shop", bearer: str = ""
    ) -> Any:
        """Call the service as a client's back end, or with a bearer secret; return the JSON of the response.

        Raises RuntimeError for an error response, without which no fuzzing is possible.
        """
        proof = f"Bearer {bearer}" if bearer else f"Basic {basic(client)}"
        headers = (f"Authorization: {proof}".encode(), b"Content-Type: application/json")
        text = b"" if body is None else json.dumps(body).encode()
        answer = await self._service.ask(Case(method.encode(), path.encode(), headers, text).wire())
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body!r}")
        return json.loads(answer.body)

    async def _login(self) -> Made:
        made = await self.call("POST", "/v1/tickets", {"purpose": "login"})
        headers = (f"Authorization: Bearer {made['secret']}".encode(),)
        path = f"/v1/tickets/{made['ticket']}".encode()
        tag = (await self._service.ask(Case(b"GET", path, headers, b"").wire())).headers["etag"]
        qr = made["qr_svg"].removeprefix("/v1/qr/").removesuffix(".svg")
        return {"ticket": made["ticket"], "secret": made["secret"], "tag": tag, "qr": qr}

    async def _bind(self) -> Made:
        made = await self.call("POST", "/v1/tickets", {"purpose": "bind", "user_id": USER, "refresh": True})
        # The scene of a bind ticket is the ticket id and, if it is short, the user id (models/scene.py).
        return {"bind_ticket": made["ticket"], "bind_secret": made["secret"], "scene": made["ticket"] + USER}

    async def _link(self) -> Made:
        made = await self.call("POST", "/v1/portal-sessions", {"user_id": USER})
        return {"link": made["token"], "link_session": made["token"].partition(".")[0]}

    async def _session(self) -> Made:
        link = await self._link()
        path = f"/v1/portal-sessions/{link['link_session']}/open"
        opened = await self.call("POST", path, bearer=link["link"])
        return {"session": link["link_session"], "session_secret": opened["secret"]}

    async def _code(self) -> Made:
        """Scan a login of the club, which needs no confirmation, as a new follower."""
        made = await self.call("POST", "/v1/tickets", {"purpose": "login"}, client="club")
        fields = {
            "ToUserName": ACCOUNTS["safe"].gh_id,
            "FromUserName": next(self._people),
            "CreateTime": int(time.time()),
            "MsgType": "event",
            "Event": "SCAN",
            "EventKey": made["ticket"],
        }
        await self._service.ask(push("safe", fields).wire())
        ticket = await self.call("GET", f"/v1/tickets/{made['ticket']}", bearer=made["secret"])
        return {"code": ticket["code"]}

    async def _registration(self) -> Made:
        body = await self._code()
        return {"registration": (await self.call("POST", "/v1/exchange", body, client="club"))["registration"]}
