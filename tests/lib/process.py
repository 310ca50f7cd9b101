"""`scanbind demo` as a person starts it: a process, and the addresses it prints."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Demo:
    """The addresses of a running demo, without a slash at their end."""

    shop: str
    phone: str
    service: str
    process: "subprocess.Popen[str]"


@contextmanager
def demo(folder: Path, *options: str, **variables: str) -> Iterator[Demo]:
    """Run `scanbind demo` in *folder* on free ports; end it as Ctrl-C would, and see that it ends well."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SCANBIND_SERVER__PORT": "0", **variables}
    with (folder / "demo.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "demo", "--port", "0", *options],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Demo(**_addresses(process), process=process)
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(timeout=20)
            assert process.stdout is not None
            process.stdout.close()
    assert status == 0, (folder / "demo.log").read_text()


def _addresses(process: "subprocess.Popen[str]") -> dict[str, str]:
    found: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        if named := re.match(r"\s+(shop|phone|service)\s+(http://\S+?)/\s", line + " "):
            found[named[1]] = named[2]
        if len(found) == 3:
            return found
    raise AssertionError("the demo ended before it was ready")
