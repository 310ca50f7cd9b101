"""Tickets, QR code images, portal sessions: `python -m fuzz.tickets`. No read or write without a credential."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from fuzz import engine
from fuzz.response_checks import Fault
from fuzz.target import Run, Target

_PROOFS: Final[Mapping[bytes, frozenset[str]]] = {
    b"/v1/tickets/": frozenset({"secret", "bind_secret"}),
    b"/v1/qr/": frozenset({"qr"}),
    b"/v1/portal-sessions/": frozenset({"session_secret", "link"}),
    b"/v1/bindings/": frozenset({"basic", "basic_club"}),
    b"/portal/open/": frozenset({"link"}),
}
"""Path prefix -> the credentials, one of which a request must contain to succeed."""


async def check(run: Run) -> None:
    """Raise Fault when a request without a credential succeeded or wrote to the stores."""
    good = run.answer.status < 400 and run.filled.method != b"OPTIONS"
    if (good or run.moved) and not _proven(run):
        raise Fault(f"answered {run.answer.status} without proof; written: {dict(run.moved)}")


def _proven(run: Run) -> bool:
    path = unquote_to_bytes(run.filled.address)
    needed = next((names for start, names in _PROOFS.items() if path.startswith(start)), None)
    if needed is None:
        return not run.moved
    shown = b"\n".join((path, *run.filled.headers))
    return any(run.props.values[name] in shown for name in needed)


TARGET: Final = Target(
    name="tickets",
    statuses=frozenset({200, 201, 204, 303, 304, 400, 401, 403, 404, 405, 409, 410, 413, 415}),
    check=check,
)

if __name__ == "__main__":
    engine.main(TARGET)
