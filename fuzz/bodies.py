"""The API of a site's back end: `python -m fuzz.bodies`. A request may write what it asks for and nothing else."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final
from urllib.parse import quote

from fuzz import engine
from fuzz.response_checks import Fault
from fuzz.target import Run, Target

_GROWS: Final[Mapping[bytes, AbstractSet[str]]] = {
    b"/v1/tickets": frozenset({"bind_requests", "endings", "redis"}),
    b"/v1/exchange": frozenset({"rows", "history", "followers", "redis"}),
    b"/v1/bindings": frozenset({"bindings", "history", "followers", "redis"}),
    b"/v1/portal-sessions": frozenset({"portal_sessions"}),
}
"""Path -> what an accepted request may write: at most one more row in each table."""


async def check(run: Run) -> None:
    """Raise Fault when a request wrote more than it may, or when what it created cannot be read back."""
    path = run.filled.address.partition(b"?")[0]
    allowed = _GROWS.get(path, frozenset())
    tables = {name: rows for name, rows in run.moved.items() if name != "redis"}
    if not run.moved.keys() <= allowed or any(rows not in (0, 1) for rows in tables.values()):
        raise Fault(f"{dict(run.moved)} was written by {path!r}")
    if run.filled.method == b"POST" and run.answer.status in (200, 201):
        await _read_back(run, path, json.loads(run.answer.body))


async def _read_back(run: Run, path: bytes, answer: dict[str, Any]) -> None:
    body = json.loads(run.filled.body)
    if path == b"/v1/tickets":
        ticket = await run.props.call("GET", f"/v1/tickets/{answer['ticket']}", bearer=answer["secret"])
        _same((ticket["purpose"], ticket["status"]), (body["purpose"], "pending"))
    elif path == b"/v1/bindings":
        _same(answer["user_id"], body["user_id"])
        address = f"/v1/bindings/{quote(body['user_id'], safe='')}"
        bindings = (await run.props.call("GET", address, client="club"))["bindings"]
        _same([one["openid"] for one in bindings if one["account"] == answer["account"]], [answer["openid"]])
    elif path == b"/v1/portal-sessions":
        address = f"/v1/portal-sessions/{answer['token'].partition('.')[0]}"
        opened = await run.props.call("POST", f"{address}/open", bearer=answer["token"])
        visit = await run.props.call("GET", address, bearer=opened["secret"])
        _same(visit["only_login"], body.get("only_login", False))


def _same(found: object, expected: object) -> None:
    if found != expected:
        raise Fault(f"{found!r} was stored instead of {expected!r}")


TARGET: Final = Target(
    name="bodies",
    statuses=frozenset({200, 201, 400, 401, 403, 404, 405, 409, 413, 415}),
    check=check,
)

if __name__ == "__main__":
    engine.main(TARGET)
