"""Why a store does not answer, in one line for operators: the driver's reason, without data and passwords.

A driver's text may quote rows, which contain openids, or the commands that it sent. So only texts that are known
to quote neither are passed on.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from redis.exceptions import AuthenticationError, InvalidResponse, ResponseError
from sqlalchemy import exc

_PG_QUOTED: Final = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58"})
"""PostgreSQL's error classes that concern the server and not a statement's values."""
_PG_READ_ONLY: Final = "25006"
# Of the server: too many connections, no access, unknown database, disk or table full, lock timeout, deadlock,
# blocked or unknown host, limits, read only, no password; of the driver: no connection.
_MYSQL_QUOTED: Final = frozenset(
    {1021, 1040, 1044, 1045, 1049, 1114, 1129, 1130, 1203, 1205, 1213, 1226, 1251, 1290, 1698, 1792, 1836}
    | {2002, 2003, 2005, 2006, 2013, 2026, 2055, 2059}
)
_PLACE: Final = re.compile(r"connecting to (\S+:\d+)")
_LONGEST: Final = 300
"""Characters."""


def database_reason(error: BaseException, url: sa.URL) -> str:
    """Return why the database at *url* failed with *error*, after its place."""
    return f"{_place(url)}: {_database_cause(error)}"


def _place(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    host = url.host or url.query.get("unix_socket") or url.query.get("host") or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}/{url.database or ''}"


def _database_cause(error: BaseException) -> str:
    if isinstance(error, exc.DBAPIError) and error.orig is not None:
        driver = error.orig
        system = next((e for e in _chain(driver) if isinstance(e, OSError)), None)
        return system_reason(system) if system else _one_line(_quoted(driver))
    return "no connection was free in time" if isinstance(error, exc.TimeoutError) else system_reason(error)


def redis_reason(error: BaseException) -> str:
    """Return why Redis failed with *error*, after its place if that is noted on it."""
    place = next((e.__notes__[0] for e in _chain(error) if hasattr(e, "__notes__")), "")
    if not place:  # a cluster connects for the first time without the noting retry
        named = next(filter(None, (_PLACE.search(str(e)) for e in _chain(error))), None)
        place = named[1] if named else ""
    return f"{place}: {_redis_cause(error)}" if place else _redis_cause(error)


def _redis_cause(error: BaseException) -> str:
    system = next((e for e in _chain(error) if isinstance(e, OSError)), None)
    if system:
        return system_reason(system)
    if any(isinstance(e, InvalidResponse) for e in _chain(error)):
        return "the server is not Redis"
    if type(error).__name__ == "MasterNotFoundError":  # its text is the sentinels' whole description
        return "no sentinel names the master"
    if "already authenticated" in str(error):  # what HELLO is answered without a password
        return "the server requires a password"
    if isinstance(error, ResponseError | AuthenticationError):
        # An unknown command is quoted with its arguments, such as the password of AUTH.
        return _one_line(str(error).partition(", with args")[0])
    return _one_line(str(error)) or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and its causes."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def system_reason(error: BaseException) -> str:
    """Return why the system, or TLS, refused a connection."""
    match error:
        case socket.gaierror():
            text = f"the host is not known ({error.strerror})"
        case ssl.SSLCertVerificationError():
            text = f"the TLS certificate is refused: {error.verify_message}"
        case ssl.SSLError():
            text = f"TLS fails: {(error.reason or 'unknown').replace('_', ' ').lower()}"
        case ConnectionRefusedError():
            text = "the connection is refused: nothing listens there"
        case TimeoutError():
            text = "no answer in time"
        case FileNotFoundError():
            text = f"{error.filename or 'the socket or a file that the URL names'}: no such file"
        case OSError():
            text = error.strerror or str(error)
        case _:
            text = ""
    return _one_line(text) or type(error).__name__


def _quoted(driver: BaseException) -> str:
    """Return the text of an error of asyncpg, asyncmy or SQLite, or only its kind if it may quote a value."""
    state = getattr(driver, "sqlstate", None) or ""
    code = driver.args[0] if driver.args else ""
    if type(driver).__module__ == "sqlite3":
        return str(driver)
    if isinstance(code, int):
        return f"{driver.args[1]} ({code})" if code in _MYSQL_QUOTED else f"error {code}"
    if state[:2] in _PG_QUOTED or state == _PG_READ_ONLY:
        return str((driver.__cause__ or driver).args[0])
    if type(driver.__cause__).__name__ == "ClientConfigurationError":
        return str(driver.__cause__)
    if "Packet sequence" in str(code):
        return "the server is not MySQL"
    return f"error {state}" if state else type(driver).__name__


def _one_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return "".join(sign if sign.isprintable() else " " for sign in line[:_LONGEST]).rstrip(".")
