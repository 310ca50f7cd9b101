"""Test data of the benchmarks: tickets created through the API, and encrypted and signed pushes."""

import base64
import json
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from bench import load
from bench.processes import PASSWORD, SITE
from bench.server import Server
from bench.wechat import ACCOUNT, openid
from sandbox.envelope import wrap
from sandbox.push_format import Fields

_BASIC: Final = "Basic " + base64.b64encode(f"{SITE}:{PASSWORD}".encode()).decode()
_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Ticket:
    """A bind ticket, its secret, and the scene in its QR code."""

    id: str
    secret: str
    scene: str

    def ask(self, *, under: str = "/v1/tickets", suffix: str = "", tag: str | None = None) -> bytes:
        """Return a request for the ticket's status; *under* is the path on the server."""
        headers = {"Authorization": f"Bearer {self.secret}"} | ({"If-None-Match": tag} if tag else {})
        return load.request("GET", f"{under}/{self.id}{suffix}", headers=headers)


async def tickets(server: Server, count: int) -> list[Ticket]:
    """Create bind tickets in the service, each for another user."""
    users = [f"user-{number}" for number in range(count)]
    wanted = (json.dumps({"purpose": "bind", "user_id": user}).encode() for user in users)
    answers: dict[int, bytes] = {}
    requests = (
        load.request("POST", "/v1/tickets", body=body, headers={"Authorization": _BASIC}) for body in wanted
    )
    await load.drive(server.port, requests, connections=_CONNECTIONS, answers=answers)
    made = (json.loads(load.body(answers[number])) for number in range(count))
    # The scene of a bind ticket is the ticket id and, if it is short, the user id (models/scene.py).
    return [
        Ticket(one["ticket"], one["secret"], one["ticket"] + user) for one, user in zip(made, users, strict=True)
    ]


def scan(ticket: Ticket, person: int) -> bytes:
    """Return the request of a push for a follower's scan, in safe mode (wechat-protocol.md 3.2, 3.3)."""
    now = time.time()
    fields: Fields = {
        "ToUserName": ACCOUNT.gh_id,
        "FromUserName": openid(person),
        "CreateTime": int(now),
        "MsgType": "event",
        "Event": "SCAN",
        "EventKey": ticket.scene,
        "Ticket": "gQ" + "0" * 94,
    }
    sealed = wrap(fields, ACCOUNT, now=now)
    path = f"/wechat/main?{urlencode(sealed.query)}"
    return load.request("POST", path, body=sealed.body, content_type=sealed.content_type)
