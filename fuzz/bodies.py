"""What a site's back end sends: `python -m fuzz.bodies`. What is accepted can be read back, and is all."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final
from urllib.parse import quote

from fuzz import engine
from fuzz.response_checks import Fault
from fuzz.target import Door, Run

_GROWS: Final[Mapping[bytes, AbstractSet[str]]] = {
    b"/v1/tickets": frozenset({"bind_requests", "endings", "redis"}),
    b"/v1/exchange": frozenset({"rows", "history", "followers", "redis"}),
    b"/v1/bindings": frozenset({"bindings", "history", "followers", "redis"}),
    b"/v1/portal-sessions": frozenset({"portal_sessions"}),
}
"""What an accepted request may write: at most one row more of each table."""


async def check(run: Run) -> None:
    """Raise Fault when more was written than was asked for, or what was accepted is not there."""
    path = run.filled.address.partition(b"?")[0]
    allowed = _GROWS.get(path, frozenset())
    tables = {name: rows for name, rows in run.moved.items() if name != "redis"}
    if not run.moved.keys() <= allowed or any(rows not in (0, 1) for rows in tables.values()):
        raise Fault(f"{dict(run.moved)} was written by {path!r}")
    if run.filled.method == b"POST" and run.answer.status in (200, 201):
        await _read_back(run, path, json.loads(run.answer.body))


async def _read_back(run: Run, path: bytes, told: dict[str, Any]) -> None:
    asked = json.loads(run.filled.body)
    if path == b"/v1/tickets":
        ticket = await run.props.call("GET", f"/v1/tickets/{told['ticket']}", bearer=told["secret"])
        _same((ticket["purpose"], ticket["status"]), (asked["purpose"], "pending"))
    elif path == b"/v1/bindings":
        _same(told["user_id"], asked["user_id"])
        address = f"/v1/bindings/{quote(asked['user_id'], safe='')}"
        bindings = (await run.props.call("GET", address, client="club"))["bindings"]
        _same([one["openid"] for one in bindings if one["account"] == told["account"]], [told["openid"]])
    elif path == b"/v1/portal-sessions":
        address = f"/v1/portal-sessions/{told['token'].partition('.')[0]}"
        opened = await run.props.call("POST", f"{address}/open", bearer=told["token"])
        visit = await run.props.call("GET", address, bearer=opened["secret"])
        _same(visit["only_login"], asked.get("only_login", False))


def _same(found: object, due: object) -> None:
    if found != due:
        raise Fault(f"{found!r} is there instead of {due!r}")


DOOR: Final = Door(
    name="bodies",
    statuses=frozenset({200, 201, 400, 401, 403, 404, 405, 409, 413, 415}),
    check=check,
)

if __name__ == "__main__":
    engine.main(DOOR)
