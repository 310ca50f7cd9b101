"""One chromium for all browser tests of a process."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Flags against background work, and against throttling of pages that are not visible. The
# back/forward cache stays on, as people have it.
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
)
_STARTS_WITHIN: Final = 30.0


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[str]:
    """Run a chromium that keeps its things in *folder*; give the address at which it is driven."""
    with (folder / "chromium.log").open("w") as log:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"], stdout=log, stderr=log
        )
        try:
            yield _address(process, folder)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _address(process: "subprocess.Popen[bytes]", folder: Path) -> str:
    told = folder / "DevToolsActivePort"
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        lines = told.read_text().splitlines() if told.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.02)
    raise AssertionError((folder / "chromium.log").read_text())
