"""Compares the service with its own OpenAPI document: `python -m fuzz.openapi`, by way of schemathesis.

It sends requests that the document allows and requests that it forbids, follows its links, and compares every
answer with it. Exits with 1 when they differ or the service logs an error; a failure is printed with its request.
The same seed gives the same requests, but for what the service issues: tickets, secrets and codes.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fuzz import service
from fuzz.log_checks import journal

_CONFIG: Final = Path(__file__).with_suffix(".toml")
_SCHEMATHESIS: Final = Path(sys.executable).with_name("schemathesis")


async def compare(*, seed: int, more: Sequence[str]) -> int:
    """Start the service and run schemathesis on it, with *more* options of its own; return the exit status."""
    with journal() as kept:
        async with service.listening() as url:
            command = ("--config-file", str(_CONFIG), "run", f"{url}/openapi.json", f"--seed={seed}", *more)
            schemathesis = await asyncio.create_subprocess_exec(_SCHEMATHESIS, *command)
            try:
                status = await schemathesis.wait()
            finally:
                if schemathesis.returncode is None:
                    schemathesis.terminate()
    for fault in kept.faults:
        print(f"FAULT: in the log: {fault}")
    return status or min(len(kept.faults), 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m fuzz.openapi")
    parser.add_argument("--seed", type=int, default=1)
    given, others = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(asyncio.run(compare(seed=given.seed, more=others)))
