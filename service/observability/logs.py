"""JSON logging to stderr, one object per line.

Code must not log secrets, login codes or openids; libraries that would are silenced or filtered here.
"""

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
"""The id of the current request, added to every line that is logged while it is handled."""

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

# These would log query strings (a push's signature, an API call's token), or far too much.
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
"""Maximum length of one value, in characters: an exception's message may quote a whole request."""

_DATABASE_ERROR: Final = re.compile(
    r"^((?:asyncmy|asyncpg|sqlalchemy|sqlite3)\.[\w.]+): .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL
)


def _not_a_broken_request(record: logging.LogRecord) -> bool:
    """Drop aiohttp's lines about malformed or aborted requests: they quote the request, with its secrets."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | ConnectionError)


def _not_a_cancelled_close(record: logging.LogRecord) -> bool:
    """Drop SQLAlchemy's traceback of a cancelled close, which service/server/stopping.py logs itself."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class _Formatter(JsonFormatter):
    """Writes time, level, logger, message and request id, then the fields of `extra`."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the parent's name
        """Leave out the messages of database errors, because they quote the rejected row."""
        return _DATABASE_ERROR.sub(r"\1", str(super().formatException(ei)))

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
    """Cut the middle out of a long text: the ends of a traceback are the most useful."""
    half = LONGEST_VALUE // 2
    left_out = len(text) - LONGEST_VALUE
    return f"{text[:half]}… {left_out} characters left out …{text[-half:]}" if left_out > 0 else text


def setup(level: str = "INFO") -> None:
    """Log at *level* and above, and Python's warnings, to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(json_ensure_ascii=False, reserved_attrs=[*RESERVED_ATTRS, "taskName"]))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # No line names them, and looking them up takes a quarter of the time of logging one.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    # addFilter ignores a filter that is there already, so repeated calls are harmless.
    logging.getLogger("aiohttp.server").addFilter(_not_a_broken_request)
    logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").addFilter(_not_a_cancelled_close)
