"""Checks the URL of Redis: what passes is read by redis-py as it stands. Messages never quote a value."""

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from service.config.addresses import HOST_PORT, is_place
from service.config.fault import Fault
from service.config.store_url import ENCODE, FILE, FLAG, VISIBLE, check_options, check_signs

_WANTED: Final = (
    "must be embedded, redis://:PASSWORD@HOST:6379/0, rediss://, unix:///FILE, "
    "redis+sentinel://HOST:26379,HOST:26379/NAME/0 or redis+cluster://HOST:7000,HOST:7001"
)
_USER: Final = r"(?:(?P<user>[^@:/?#\[\]]*)(?::(?P<password>[^@/?#\[\]]*))?@)?"
_ONE: Final = rf"(?P<hosts>{HOST_PORT})(?:/(?P<db>\d{{0,4}}))?"
_SEVERAL: Final = rf"(?P<hosts>{HOST_PORT}(?:,{HOST_PORT})*)"
_QUERY: Final = r"(?:\?(?P<query>[^?#@]*))?"
_FORMS: Final = {
    "redis": _ONE,
    "rediss": _ONE,
    "unix": r"(?P<path>/[^?#@]+)",
    "redis+sentinel": rf"{_SEVERAL}/(?P<name>[^/?#@%]+)(?:/(?P<db>\d{{0,4}}))?",
    "redis+cluster": rf"{_SEVERAL}/?",
}
_ANY: Final = {"client_name": VISIBLE, "protocol": "2|3", "health_check_interval": r"\d{1,6}"}
_DB: Final = {"db": r"\d{1,4}"}
_TCP: Final = {"socket_keepalive": FLAG}
_TLS: Final = {
    "ssl_ca_certs": FILE,
    "ssl_ca_path": FILE,
    "ssl_cert_reqs": "none|optional|required",
    "ssl_certfile": FILE,
    "ssl_check_hostname": FLAG,
    "ssl_keyfile": FILE,
    "ssl_password": FILE,
}
_OPTIONS: Final = {
    "redis": _ANY | _DB | _TCP,
    "rediss": _ANY | _DB | _TCP | _TLS,
    "unix": _ANY | _DB,
    "redis+sentinel": _ANY | _DB | _TCP,
    "redis+cluster": _ANY | _TCP,
}
_HINTS: Final = dict.fromkeys(("ssl", "tls", "sslmode", *_TLS), "needs rediss://, which is Redis over TLS") | {
    "database": "is named db",
    "db": "does not exist in a cluster: leave it out",
}


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where sentinels or the nodes of a cluster are, and how to reach the master or each node."""

    hosts: tuple[tuple[str, int], ...]
    name: str
    """Of the master; empty for a cluster."""
    arguments: dict[str, Any]
    """Of redis-py's connections; may contain a password."""


def redis_url(value: str) -> str:
    """Check that redis-py reads *value* as it stands, and knows its options. Raises Fault."""
    scheme, _, rest = value.partition("://")
    if scheme not in _FORMS:
        raise Fault(_WANTED)
    check_signs(rest)
    found = re.fullmatch(f"{_USER}{_FORMS[scheme]}{_QUERY}", rest)
    if not found:
        raise Fault(f"{_WANTED}; {ENCODE}" if "@" in rest else _WANTED)
    part = found.groupdict()
    if not all(is_place(host) for host in (part.get("hosts") or "").split(",") if host):
        raise Fault(_WANTED)
    if part["user"] and not part["password"]:
        raise Fault("has a user name without a password: a password alone is written redis://:PASSWORD@HOST")
    options = check_options(part["query"] or "", _OPTIONS[scheme], _HINTS, reader=f"{scheme}://")
    if "db" in options and part.get("db"):
        raise Fault("names the database twice, in the path and as option db")
    _check_reading(value, user=part["user"], password=part["password"])
    return value


def nodes(url: str) -> Nodes:
    """Split a checked `redis+sentinel://` or `redis+cluster://` URL; redis-py reads neither."""
    scheme, _, rest = url.partition("://")
    place, question, query = rest.partition("?")
    user, at, place = place.rpartition("@")
    hosts, _, path = place.partition("/")
    name, _, db = path.partition("/")
    cluster = scheme == "redis+cluster"
    arguments = _parsed(f"redis://{user}{at}node" + (f"/{db}" if db else "") + question + query)
    del arguments["host"]
    default = 6379 if cluster else 26379
    return Nodes(tuple(_split(host, default) for host in hosts.split(",")), name, arguments)


def _check_reading(url: str, *, user: str | None, password: str | None) -> None:
    """Raise Fault unless redis-py finds these credentials."""
    try:
        single = url.startswith(("redis://", "rediss://", "unix://"))
        read = _parsed(url) if single else nodes(url).arguments
    except ValueError:  # its text may quote a part of the password
        raise Fault(ENCODE) from None
    if (read.get("username", ""), read.get("password", "")) != (unquote(user or ""), unquote(password or "")):
        raise Fault(ENCODE)


def _parsed(url: str) -> dict[str, Any]:
    from redis.asyncio.connection import parse_url  # noqa: PLC0415 - slow, and only needed for a Redis of one's own

    return dict(parse_url(url))


def _split(place: str, default: int) -> tuple[str, int]:
    """Return host and port; an IPv6 address without its brackets."""
    host, colon, port = place.rpartition(":")
    if not colon or "]" in port:
        host, port = place, str(default)
    return host.strip("[]"), int(port)
