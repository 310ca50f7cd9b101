"""Checks the URL of the database: what passes, the driver accepts. Messages never quote a value."""

import re
from typing import Final
from urllib.parse import unquote

from service.config.addresses import HOST_PORT, PORT, is_place
from service.config.fault import Fault
from service.config.store_url import ENCODE, FILE, FLAG, SOCKET, check_options, check_signs

_WANTED: Final = (
    "must be embedded, postgresql://USER:PASSWORD@HOST/NAME, mysql://..., mariadb://... or sqlite:///FILE"
)
_POSTGRESQL: Final = "postgresql+asyncpg"
_MYSQL: Final = "mysql+asyncmy"
_SQLITE: Final = "sqlite+aiosqlite"
_DRIVERS: Final = {
    "sqlite": _SQLITE,
    _SQLITE: _SQLITE,
    "postgres": _POSTGRESQL,
    "postgresql": _POSTGRESQL,
    _POSTGRESQL: _POSTGRESQL,
    "mysql": _MYSQL,
    _MYSQL: _MYSQL,
    "mariadb": _MYSQL,
    "mariadb+asyncmy": _MYSQL,
}
_FORM: Final = re.compile(
    rf"(?:(?P<user>[^@:/]*)(?::(?P<password>[^@]*))?@)?(?P<place>{HOST_PORT})?(?:/(?P<name>[^/?#@%]*))?(?:\?(?P<query>[^?#@]*))?"
)
_SSL_MODES: Final = "disable|allow|prefer|require|verify-ca|verify-full"
_OPTIONS: Final = {
    _POSTGRESQL: {
        "host": SOCKET,
        "passfile": FILE,
        "port": PORT,
        "prepared_statement_cache_size": r"\d{1,6}",
        "ssl": _SSL_MODES,
        "sslmode": _SSL_MODES,
        "target_session_attrs": "any|primary|standby|read-write|read-only|prefer-standby",
    },
    _MYSQL: {
        "charset": "utf8mb4",
        "ssl_ca": FILE,
        "ssl_capath": FILE,
        "ssl_cert": FILE,
        "ssl_check_hostname": FLAG,
        "ssl_key": FILE,
        "unix_socket": FILE,
    },
}
_LEAVE_OUT: Final = "is not known to the driver: leave it out"
_HINTS: Final = {
    _POSTGRESQL: {
        "channel_binding": _LEAVE_OUT,
        "charset": "is not needed, PostgreSQL sends UTF-8: leave it out",
        "sslcert": "is not known to the driver: set the environment variable PGSSLCERT",
        "sslkey": "is not known to the driver: set the environment variable PGSSLKEY",
        "sslrootcert": "is not known to the driver: set the environment variable PGSSLROOTCERT",
        "statement_cache_size": "is named prepared_statement_cache_size",
        "usessl": "is named ssl: ssl=require",
    },
    _MYSQL: dict.fromkeys(
        ("ssl", "ssl_mode", "sslmode", "tls", "usessl", "requiressl"),
        "is not known to the driver: TLS is ssl_ca=FILE, with the certificate of the authority",
    )
    | {"characterencoding": "is named charset: charset=utf8mb4", "socket": "is named unix_socket"},
}


def database_url(value: str) -> str:
    """Check that the driver accepts *value*, and return it with the name of the driver. Raises Fault."""
    scheme, _, rest = value.partition("://")
    driver = _DRIVERS.get(scheme)
    if driver is None:
        raise Fault(_WANTED)
    if driver == _SQLITE:
        return f"{driver}://{_file(rest)}"
    check_signs(rest)
    found = _FORM.fullmatch(rest)
    if not (found and rest and (found["place"] is None or is_place(found["place"]))):
        raise Fault(f"{_WANTED}; {ENCODE}" if "@" in rest else _WANTED)
    if driver == _MYSQL and not found["name"]:
        raise Fault("has no name of a database: mysql://USER:PASSWORD@HOST/NAME")
    query = found["query"] or ""
    options = check_options(query, _OPTIONS[driver], _HINTS[driver], reader=f"the driver {driver.split('+')[1]}")
    if found["place"] and options.keys() & {"host", "port"}:
        raise Fault("names the host twice, before the / and as an option")
    if {"ssl", "sslmode"} <= options.keys():
        raise Fault("has the options ssl and sslmode, which are the same: leave one out")
    translated = re.sub(r"(^|&)sslmode=", r"\1ssl=", query)  # asyncpg has libpq's option under another name
    url = f"{driver}://{rest.removesuffix(query)}{translated}"
    _check_reading(url, user=found["user"], password=found["password"])
    return url


def _file(rest: str) -> str:
    """Return the path of an SQLite URL, with its leading slash. Raises Fault."""
    file = unquote(rest)  # as SQLAlchemy does; what is not UTF-8 becomes a sign that is no file's
    well_formed = re.fullmatch(r"/[^\s?](?:[^?]*[^\s?])?", rest) and f"{rest}{file}".isprintable()
    if not well_formed or "\ufffd" in file or file in ("/:memory:", "//"):
        raise Fault(
            "must be sqlite:///FILE, relative to the working directory, or sqlite:////FILE; without options"
        )
    return rest


def _check_reading(url: str, *, user: str | None, password: str | None) -> None:
    """Raise Fault unless SQLAlchemy finds these credentials."""
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - slow, and only needed for a database of one's own
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        read = make_url(url)
    except (ArgumentError, ValueError):  # their texts may quote the password
        raise Fault(ENCODE) from None
    if (read.username or "", read.password or "") != (unquote(user or ""), unquote(password or "")):
        raise Fault(ENCODE)
