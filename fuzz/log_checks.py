"""What is logged during a run: no error, and no traceback of any level."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

from fuzz.response_checks import Fault


class Journal(logging.Handler):
    """Keeps what must not be logged: errors, and tracebacks of any level."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.faults: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            return  # no HTTP, or the caller left: kept out of the log as well (service/observability/logs.py)
        if record.levelno >= logging.ERROR or error:
            self.faults.append(f"{record.levelname} {record.name}: {record.getMessage()} {error!r}")

    def check(self) -> None:
        """Raise Fault when something was logged that must not be."""
        if self.faults:
            told, self.faults = self.faults, []
            raise Fault("in the log: " + "; ".join(told))


@contextmanager
def journal() -> Iterator[Journal]:
    """Listen to all loggers for as long as the context lasts."""
    root, kept = logging.getLogger(), Journal()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.INFO)
    try:
        yield kept
    finally:
        root.removeHandler(kept)
        root.setLevel(level)
