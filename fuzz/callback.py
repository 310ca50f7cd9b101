"""WeChat's door, in each mode: `python -m fuzz.callback`. Only a push that proves itself changes anything.

A part of the inputs is sealed with the accounts' own keys (`fuzz.sealing`), so what is inside is fuzzed as well.
"""

from typing import Final

from fuzz import engine, sealing
from fuzz.response_checks import Fault
from fuzz.target import Door, Run


async def check(run: Run) -> None:
    """Raise Fault when a push changed something that its account had no reason to believe."""
    if run.moved and not sealing.proves(run.filled):
        raise Fault(f"{dict(run.moved)} was written by a push that proves nothing")


DOOR: Final = Door(
    name="callback",
    statuses=frozenset({200, 400, 401, 403, 404, 405, 413, 415}),
    check=check,
    prepare=sealing.sealed,
)

if __name__ == "__main__":
    engine.main(DOOR)
