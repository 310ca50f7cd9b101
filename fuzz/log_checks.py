"""Checks that a run logs no error, and no traceback at any level."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

from fuzz.response_checks import Fault


class Journal(logging.Handler):
    """Collects log records that must not occur: errors, and tracebacks at any level."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.faults: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            return  # invalid HTTP or a closed connection: service/observability/logs.py drops it as well
        if record.levelno >= logging.ERROR or error:
            self.faults.append(f"{record.levelname} {record.name}: {record.getMessage()} {error!r}")

    def check(self) -> None:
        """Raise Fault when an error or a traceback was logged."""
        if self.faults:
            faults, self.faults = self.faults, []
            raise Fault("in the log: " + "; ".join(faults))


@contextmanager
def journal() -> Iterator[Journal]:
    """Collect the records of all loggers within the context."""
    root, kept = logging.getLogger(), Journal()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.INFO)
    try:
        yield kept
    finally:
        root.removeHandler(kept)
        root.setLevel(level)
