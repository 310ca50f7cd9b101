"""Reads of the clock when a module is imported are told from reads in its functions."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.import_clock import faults

ROOT = Path(__file__).parent.parent.parent
HEAD = """\
import time
import time as watch
from datetime import UTC, datetime, date
from datetime import datetime as moment
from time import perf_counter
import datetime as calendar
import pytest
from helper import NAMES, Holder, Made, deep, held, now
from service.server.app import utcnow
"""
HELPER = """\
from datetime import datetime, UTC
def now(): return datetime.now(UTC)
async def deep(): return [now() for _ in "ab"]
def held(): return lambda: now()
class Made:
    def __init__(self): self.at = now()
class Holder:
    def at(self): return now()
NAMES = {}
"""
SERVICE = "import datetime\ndef utcnow(): return datetime.datetime.now()\n"


def told(folder: Path, text: str) -> list[int]:
    """Return the lines of *text*, after HEAD, that are reported."""
    for path, content in {
        "tests/lib/helper.py": HELPER,
        "service/server/app.py": SERVICE,
        "tests/test_x.py": HEAD + text,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    lines = faults(folder / "tests", [folder / "service"], root=folder)
    where = [line.removesuffix(": reads the clock when it is imported").rpartition(":") for line in lines]
    assert {path for path, _, _ in where} <= {str(folder / "tests" / "test_x.py")}
    return [int(number) - HEAD.count("\n") for _, _, number in where]


@pytest.mark.parametrize(
    "call",
    [
        "datetime.now(UTC)", "datetime.utcnow()", "datetime.today()", "date.today()", "moment.now()",
        "calendar.datetime.now()", "calendar.date.today()", "time.time()", "time.time_ns()", "time.monotonic()",
        "watch.perf_counter_ns()", "perf_counter()", "time.localtime()", "now()", "deep()", "Made()", "utcnow()",
        "ours()",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "text",
    [
        "X = {}",
        "X = [{}.year for _ in 'ab']",
        "if True:\n    X = str({})",
        "class X:\n    at = {}",
        "class X:\n    @pytest.mark.skipif({})\n    def x(self): ...",
        "@pytest.mark.parametrize('at', [{}])\ndef test_x(at): ...",
        "@pytest.fixture(params=({},))\nasync def x(): ...",
        "def x(at={}): ...",
        "async def x(*, at={}): ...",
        "class X:\n    def x(self, at={}): ...",
        "X = lambda at={}: at",
    ],
)  # fmt: skip
def test_a_moment_that_is_taken_at_import_is_reported(tmp_path: Path, text: str, call: str) -> None:
    """Red for each place that `at_import` leaves out, and for each clock that CLOCKS and `readers` leave out."""
    ours = "def ours():\n    return time.time()\n"
    line = 1 + next(at for at, one in enumerate((ours + text).split("\n")) if "{}" in one)
    assert told(tmp_path, ours + text.format(call) + "\n") == [line]


@pytest.mark.parametrize(
    "text",
    [
        "X = datetime(2026, 3, 1, tzinfo=UTC)",
        "def test_x():\n    assert datetime.now(UTC) < now()",
        "async def test_x():\n    def y(at=time.time()): ...",
        "class X:\n    def x(self): return time.time()",
        "X = lambda: time.time()",
        "X = dict(clock=time.time, default=datetime.now)",
        "X = held()",
        "X = Holder()",
        "X = NAMES.get('now')",
        "def now(): return 1\n",
        "@pytest.mark.parametrize('at', [now, datetime.now])\ndef test_x(at): at()",
    ],
)
def test_what_is_called_later_or_reads_no_clock_is_not(tmp_path: Path, text: str) -> None:
    """Red when `at_import` walks into the bodies of functions, or a clock that is only named counts as read."""
    assert told(tmp_path, text + "\n") == []


def test_the_command_names_each_fault_and_fails(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("import time\n\nX = time.time()\n")
    command = [sys.executable, "-m", "tools.import_clock", "tests"]
    env = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "tests/test_x.py:3: reads the clock when it is imported\n")
    (tmp_path / "tests" / "test_x.py").write_text("import time\n")
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
