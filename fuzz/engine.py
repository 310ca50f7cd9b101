"""The command of every door: fuzz with atheris for a number of runs, or send single cases again.

Exits with 1 at the first fault, after keeping the case and saying how to send it again.
"""

import argparse
import asyncio
import hashlib
import importlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fuzz.fixtures import Props
from fuzz.log_checks import journal
from fuzz.mutation import Mutator
from fuzz.response_checks import Fault
from fuzz.target import Door, Trial

CORPUS: Final = Path(__file__).parent / "corpus"
_WORDS: Final = CORPUS.with_name("words")
_FOUND: Final = Path("build/fuzz")
_INSTRUMENTED: Final = ("handlers", "models", "service")
_OPTIONS: Final = ("-mutate_depth=2", "-handle_int=0", "-handle_term=0")
_LONGEST: Final = 4096
"""Bytes of a case; what is larger is named in it."""


@asynccontextmanager
async def opened(door: Door) -> AsyncIterator[Trial]:
    """Start a service with everything in it that cases name, and open *door*."""
    from fuzz import service  # noqa: PLC0415 - instrumented first

    with journal() as kept:
        async with service.running() as running:
            props = Props(running)
            await props.renew()
            running.watch.moved()
            yield Trial(door, running, props, kept)


def main(door: Door) -> None:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog=f"python -m fuzz.{door.name}")
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument(
        "--seed", type=int, default=1, help="the same for the same inputs, as far as answers agree"
    )
    parser.add_argument("cases", nargs="*", type=Path, metavar="FILE", help="send these again, and nothing else")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if given.cases:
        sys.exit(asyncio.run(_again(door, given.cases)))
    _fuzz(door, runs=given.runs, seed=given.seed)


def cases(door: str) -> list[Path]:
    """Return the files a door begins with."""
    return sorted((CORPUS / door).iterdir())


async def _again(door: Door, files: Sequence[Path]) -> int:
    faults = 0
    async with opened(door) as trial:
        for file in files:
            try:
                answer = await trial.run(file.read_bytes())
            except Fault as fault:
                faults += 1
                print(f"{file}: FAULT: {fault}")
            else:
                print(f"{file}: {answer.status} {answer.body[:200]!r}")
    return min(faults, 1)


class _Fuzzing:
    """The runs of one process, counted; the service ends with the last of them."""

    def __init__(self, door: Door, *, runs: int) -> None:
        self._door, self._left = door, runs
        self._statuses: Counter[int] = Counter()
        self._loop = asyncio.new_event_loop()
        self._opening = opened(door)
        self._trial = self._loop.run_until_complete(self._opening.__aenter__())
        self._began = time.monotonic()

    def __call__(self, data: bytes) -> None:
        """Do one run; libFuzzer ends the process after the last, so what is to be done then is done here."""
        if not self._left:
            return  # libFuzzer counts otherwise, and runs a few more
        try:
            answer = self._loop.run_until_complete(self._trial.run(data))
        except BaseException as e:  # noqa: BLE001 - whatever it was, libFuzzer would leave the stores running
            self._close()
            os._exit(_told(self._door, data, e))
        self._statuses[answer.status] += 1
        self._left -= 1
        if not self._left:
            self._close()
            self._report()

    def _close(self) -> None:
        self._loop.run_until_complete(self._opening.__aexit__(None, None, None))

    def _report(self) -> None:
        seconds, runs = time.monotonic() - self._began, self._statuses.total()
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self._statuses.items()))
        print(f"{self._door.name}: {runs} runs, {runs / seconds:.0f}/s, no fault; answers {statuses}", flush=True)


def _fuzz(door: Door, *, runs: int, seed: int) -> None:
    try:
        import atheris  # noqa: PLC0415 - not everywhere, and only needed here
    except ImportError:
        sys.exit("atheris is needed, which is made for Linux on x86-64: `make fuzz` installs it there")
    with atheris.instrument_imports(include=list(_INSTRUMENTED), enable_loader_override=False):
        importlib.import_module("fuzz.service")
    fuzzing = _Fuzzing(door, runs=runs)
    words = (_WORDS / door.name).read_bytes().splitlines()
    seeds = [file.read_bytes() for file in cases(door.name)]

    def blind(data: bytes, size: int) -> bytes:
        return bytes(atheris.Mutate(data, size))  # looked up late: Fuzz() puts another one there

    mutator = Mutator(words, seeds, blind=blind)
    found = _FOUND / door.name
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    options = (f"-runs={runs}", f"-seed={seed}", f"-max_len={_LONGEST}", *_OPTIONS)
    atheris.Setup([door.name, *options, str(found), str(CORPUS / door.name)], fuzzing, custom_mutator=mutator)
    atheris.Fuzz()


def _told(door: Door, data: bytes, error: BaseException) -> int:
    """Keep the case, say what went wrong and how to see it again; return the exit status."""
    if not isinstance(error, Exception):
        return 130
    _FOUND.mkdir(parents=True, exist_ok=True)
    file = _FOUND / f"{door.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    file.write_bytes(data)
    if not isinstance(error, Fault):
        traceback.print_exception(error)
    print(f"\nFAULT: {error}\n\n{data!r}\n\nagain: python -m fuzz.{door.name} {file}", flush=True)
    return 1
