"""The command line of each target: fuzz with atheris for a number of runs, or send single cases again.

At the first fault, saves the case, prints how to send it again, and exits with 1.
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
from fuzz.target import Target, Trial

CORPUS: Final = Path(__file__).parent / "corpus"
_WORDS: Final = CORPUS.with_name("words")
_FOUND: Final = Path("build/fuzz")
_INSTRUMENTED: Final = ("handlers", "models", "service")
_OPTIONS: Final = ("-mutate_depth=2", "-handle_int=0", "-handle_term=0")
_LONGEST: Final = 4096
"""The size limit of a case in bytes; larger values are names in it."""


@asynccontextmanager
async def opened(target: Target) -> AsyncIterator[Trial]:
    """Start a service that contains what cases name, and yield the trial of *target*."""
    from fuzz import service  # noqa: PLC0415 - must be instrumented first

    with journal() as kept:
        async with service.running() as running:
            props = Props(running)
            await props.renew()
            running.watch.moved()
            yield Trial(target, running, props, kept)


def main(target: Target) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m fuzz.{target.name}")
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed repeats the inputs, as far as responses agree"
    )
    parser.add_argument("cases", nargs="*", type=Path, metavar="FILE", help="send these cases again and exit")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if given.cases:
        sys.exit(asyncio.run(_again(target, given.cases)))
    _fuzz(target, runs=given.runs, seed=given.seed)


def cases(target: str) -> list[Path]:
    """Return the corpus files of a target."""
    return sorted((CORPUS / target).iterdir())


async def _again(target: Target, files: Sequence[Path]) -> int:
    faults = 0
    async with opened(target) as trial:
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
    """Executes and counts the runs of one process, and stops the service after the last."""

    def __init__(self, target: Target, *, runs: int) -> None:
        self._target, self._left = target, runs
        self._statuses: Counter[int] = Counter()
        self._loop = asyncio.new_event_loop()
        self._opening = opened(target)
        self._trial = self._loop.run_until_complete(self._opening.__aenter__())
        self._began = time.monotonic()

    def __call__(self, data: bytes) -> None:
        """Execute one run. Cleans up after the last one, because libFuzzer then ends the process."""
        if not self._left:
            return  # libFuzzer counts differently and runs a few more
        try:
            answer = self._loop.run_until_complete(self._trial.run(data))
        except BaseException as e:  # noqa: BLE001 - libFuzzer would leave the stores running after any exception
            self._close()
            os._exit(_report_fault(self._target, data, e))
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
        print(
            f"{self._target.name}: {runs} runs, {runs / seconds:.0f}/s, no fault; statuses {statuses}", flush=True
        )


def _fuzz(target: Target, *, runs: int, seed: int) -> None:
    try:
        import atheris  # noqa: PLC0415 - not available on every platform
    except ImportError:
        sys.exit(
            "fuzzing needs atheris, which exists for Linux on x86-64 only: run `make fuzz` there to install it"
        )
    with atheris.instrument_imports(include=list(_INSTRUMENTED), enable_loader_override=False):
        importlib.import_module("fuzz.service")
    fuzzing = _Fuzzing(target, runs=runs)
    words = (_WORDS / target.name).read_bytes().splitlines()
    seeds = [file.read_bytes() for file in cases(target.name)]

    def blind(data: bytes, size: int) -> bytes:
        return bytes(atheris.Mutate(data, size))  # looked up on each call, because Fuzz() replaces it

    mutator = Mutator(words, seeds, blind=blind)
    found = _FOUND / target.name
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    options = (f"-runs={runs}", f"-seed={seed}", f"-max_len={_LONGEST}", *_OPTIONS)
    atheris.Setup([target.name, *options, str(found), str(CORPUS / target.name)], fuzzing, custom_mutator=mutator)
    atheris.Fuzz()


def _report_fault(target: Target, data: bytes, error: BaseException) -> int:
    """Save the case, print the fault and how to reproduce it; return the exit status."""
    if not isinstance(error, Exception):
        return 130
    _FOUND.mkdir(parents=True, exist_ok=True)
    file = _FOUND / f"{target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    file.write_bytes(data)
    if not isinstance(error, Fault):
        traceback.print_exception(error)
    print(f"\nFAULT: {error}\n\n{data!r}\n\nagain: python -m fuzz.{target.name} {file}", flush=True)
    return 1
