"""WeChat's callback, in each mode: `python -m fuzz.callback`. Only a correctly signed push may write.

Some inputs are encrypted with the accounts' own keys (`fuzz.sealing`), so that their contents are fuzzed as well.
"""

from typing import Final

from fuzz import engine, sealing
from fuzz.response_checks import Fault
from fuzz.target import Run, Target


async def check(run: Run) -> None:
    """Raise Fault when a push wrote to the stores without a valid signature."""
    if run.moved and not sealing.proves(run.filled):
        raise Fault(f"{dict(run.moved)} was written by a push that proves nothing")


TARGET: Final = Target(
    name="callback",
    statuses=frozenset({200, 400, 401, 403, 404, 405, 413, 415}),
    check=check,
    prepare=sealing.sealed,
)

if __name__ == "__main__":
    engine.main(TARGET)
