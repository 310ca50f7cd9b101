"""One JSON object a line on stderr. Whoever logs leaves secrets, codes and openids out; libraries are made to."""

import asyncio
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp.http_exceptions import HttpProcessingError
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from models.timestamps import rfc3339

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The request being answered; every line logged on its behalf carries it."""

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

# These would write query strings (a push's signature, an API call's token), or write without end.
QUIET: Final = {
    "aiohttp.access": logging.CRITICAL,
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "redis": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "urllib3": logging.WARNING,
    "wechatpy": logging.WARNING,
}

LONGEST_VALUE: Final = 32_768
"""Characters of one value in a line, at most: an exception's text may quote a whole request."""

_OF_A_DATABASE: Final = re.compile(
    r"^((?:asyncmy|asyncpg|sqlalchemy|sqlite3)\.[\w.]+): .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL
)


def _not_of_a_broken_request(record: logging.LogRecord) -> bool:
    """Leave out what aiohttp says of requests that are no HTTP or broke off: it quotes them, secrets and all."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | ConnectionError)


def _not_of_a_cancelled_close(record: logging.LogRecord) -> bool:
    """Leave out SQLAlchemy's traceback for a close that was cancelled: service/server/stopping.py names it."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class _Formatter(JsonFormatter):
    """Puts when, how grave, who, what and for which request first, then what `extra` holds."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the parent's name
        """Name a database's errors and leave out their words: they quote the row that was refused."""
        return _OF_A_DATABASE.sub(r"\1", str(super().formatException(ei)))

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["time"] = rfc3339(datetime.fromtimestamp(record.created, UTC), "milliseconds")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["message"] = record.message
        if request_id := REQUEST_ID.get():
            log_data["request_id"] = request_id
        super().add_fields(log_data, record, message_dict)
        log_data |= {name: _cut(value) for name, value in log_data.items() if isinstance(value, str)}


def _cut(text: str) -> str:
    """Leave out the middle of a text that is too long: a traceback says most at its ends."""
    half = LONGEST_VALUE // 2
    left_out = len(text) - LONGEST_VALUE
    return f"{text[:half]}… {left_out} characters left out …{text[-half:]}" if left_out > 0 else text


def setup(level: str = "INFO") -> None:
    """Send every log line at *level* or above, and Python's warnings, to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(json_ensure_ascii=False, reserved_attrs=[*RESERVED_ATTRS, "taskName"]))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    # Once, however often this is called.
    logging.getLogger("aiohttp.server").addFilter(_not_of_a_broken_request)
    logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").addFilter(_not_of_a_cancelled_close)
