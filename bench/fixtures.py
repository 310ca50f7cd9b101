"""Test data of the benchmarks: tickets created through the API, and encrypted and signed pushes."""

import base64
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from bench import load
from bench.processes import ORIGIN, PASSWORD, SITE
from bench.server import Server
from bench.wechat import ACCOUNT, openid
from sandbox.envelope import wrap
from sandbox.push_format import Fields

_BASIC: Final = "Basic " + base64.b64encode(f"{SITE}:{PASSWORD}".encode()).decode()
_CONNECTIONS: Final = 8
_PATIENCE: Final = 600.0
"""Seconds in which a slow machine creates thousands of tickets."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket, its secret, and the scene in its QR code."""

    id: str
    secret: str
    scene: str

    def ask(self, *, under: str = "/v1/tickets", suffix: str = "", tag: str | None = None) -> bytes:
        """Return a request for the ticket's status; *under* is the path on the server."""
        headers = {"Authorization": f"Bearer {self.secret}"} | ({"If-None-Match": tag} if tag else {})
        return load.request("GET", f"{under}/{self.id}{suffix}", headers=headers)

    def follow(self, path: str) -> bytes:
        """Return a request for the event stream at *path*."""
        headers = {"Authorization": f"Bearer {self.secret}", "Accept": "text/event-stream"}
        return load.request("GET", path, headers=headers)


def login_by_page() -> bytes:
    """Return the request of a page that starts a login."""
    return _post(
        "/v1/tickets", {"purpose": "login", "client_id": SITE, "state": "of this visitor"}, {"Origin": ORIGIN}
    )


def login_by_back_end() -> bytes:
    """Return the request of a back end that starts a login."""
    return _post("/v1/tickets", {"purpose": "login", "state": "of this visitor"}, {"Authorization": _BASIC})


def bind(user: str) -> bytes:
    """Return the request of a back end that starts a bind."""
    return _post("/v1/tickets", {"purpose": "bind", "user_id": user}, {"Authorization": _BASIC})


def exchange(code: str) -> bytes:
    """Return the request that exchanges a login code."""
    return _post("/v1/exchange", {"code": code}, {"Authorization": _BASIC})


async def tickets(server: Server, count: int) -> list[Ticket]:
    """Create bind tickets in the service, each for another user."""
    users = [f"user-{number}" for number in range(count)]
    made = await answers(server, map(bind, users))
    # The scene of a bind ticket is the ticket id and, if it is short, the user id (models/scene.py).
    return [
        Ticket(one["ticket"], one["secret"], one["ticket"] + user) for one, user in zip(made, users, strict=True)
    ]


async def logins(server: Server, count: int) -> list[Ticket]:
    """Create login tickets in the service, as pages do."""
    made = await answers(server, (login_by_page() for _ in range(count)))
    return [Ticket(one["ticket"], one["secret"], one["ticket"]) for one in made]


async def scanned(
    server: Server, tickets: Iterable[Ticket], people: Iterable[int], *, known: bool = False
) -> None:
    """Let each person scan a ticket; *known* as in `scan`."""
    scans = [scan(ticket, person, known=known) for ticket, person in zip(tickets, people, strict=True)]
    await load.drive(server.port, scans, seconds=_PATIENCE, connections=_CONNECTIONS)


async def codes(server: Server, tickets: Iterable[Ticket]) -> list[str]:
    """Read the login codes of confirmed tickets."""
    return [one["code"] for one in await answers(server, (ticket.ask() for ticket in tickets))]


async def answers(server: Server, requests: Iterable[bytes]) -> list[dict[str, Any]]:
    """Send *requests* and return the JSON of their responses."""
    found: dict[int, bytes] = {}
    await load.drive(server.port, requests, seconds=_PATIENCE, connections=_CONNECTIONS, answers=found)
    return [json.loads(load.body(found[number])) for number in range(len(found))]


def scan(ticket: Ticket, person: int, *, known: bool = False) -> bytes:
    """Return the request of a push for a scan, in safe mode (wechat-protocol.md 3.2, 3.3).

    The person follows the account by it or, if *known*, did so before.
    """
    now = time.time()
    event, scene = ("SCAN", ticket.scene) if known else ("subscribe", f"qrscene_{ticket.scene}")
    fields: Fields = {
        "ToUserName": ACCOUNT.gh_id,
        "FromUserName": openid(person),
        "CreateTime": int(now),
        "MsgType": "event",
        "Event": event,
        "EventKey": scene,
        "Ticket": "gQ" + "0" * 94,
    }
    sealed = wrap(fields, ACCOUNT, now=now)
    path = f"/wechat/main?{urlencode(sealed.query)}"
    return load.request("POST", path, body=sealed.body, content_type=sealed.content_type)


def _post(path: str, content: dict[str, str], headers: dict[str, str]) -> bytes:
    return load.request("POST", path, body=json.dumps(content).encode(), headers=headers)
