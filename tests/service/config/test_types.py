"""Values of settings are normalised: database and Redis URLs, origins, public URLs."""

import pytest
from config_files import tree

from service.config.settings import validate


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("embedded", "embedded"),
        ("sqlite:////srv/a.db", "sqlite+aiosqlite:////srv/a.db"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p:/?#@[::1]:5432/d?ssl=require", "postgresql+asyncpg://u:p:/?#@[::1]:5432/d?ssl=require"),
        ("postgresql:///d?host=/run/pg", "postgresql+asyncpg:///d?host=/run/pg"),
        ("postgresql://h/d?sslmode=require", "postgresql+asyncpg://h/d?ssl=require"),
        ("postgresql://u:?sslmode=@h/d", "postgresql+asyncpg://u:?sslmode=@h/d"),
        ("postgres://h/d", "postgresql+asyncpg://h/d"),
        ("mysql://h/d", "mysql+asyncmy://h/d"),
        ("mariadb://h/d", "mysql+asyncmy://h/d"),
        ("mysql+asyncmy://h/d?charset=utf8mb4", "mysql+asyncmy://h/d?charset=utf8mb4"),
    ],
)
def test_databases_get_their_async_driver(given_url: str, kept: str) -> None:
    assert validate({"secret_key": "k" * 32, "database": {"url": given_url}}).database.url == kept


@pytest.mark.parametrize(
    ("given_network", "kept"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::FFFF:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("fd00::/8", "fd00::/8"),
    ],
)
def test_a_network_of_mapped_addresses_is_one_of_ipv4_as_the_addresses_are(given_network: str, kept: str) -> None:
    """Red when a mapped network is kept: no connection is in it, because each address is read as IPv4."""
    assert [
        str(one) for one in validate({"server": {"trusted_proxies": [given_network]}}).server.trusted_proxies
    ] == [kept]


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://:p%40ss@127.0.0.1:6379/0?ssl_cert_reqs=none",
        "rediss://u:p@[::1]:6380/1",
        "unix:///run/valkey.sock?db=1",
        "redis+sentinel://h1:26379,h2:26379/mymaster/0",
        "redis+sentinel://:p@h1/mymaster",
        "redis+cluster://h1:7000,h2:7001",
    ],
)
def test_every_kind_of_redis_is_taken_as_written(url: str) -> None:
    assert validate({"secret_key": "k" * 32, "redis": {"url": url}}).redis.url == url


@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://127.0.0.1:08081", "http://127.0.0.1:8081"),
        ("http://[::1]:8081", "http://[::1]:8081"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(origin: str, kept: str) -> None:
    assert validate(tree(clients__shop__origins=[origin])).clients["shop"].origins == (kept,)


def test_addresses_lose_the_slash_at_their_end() -> None:
    assert (
        validate({"server": {"public_url": "https://a.example/wx/"}}).server.public_url == "https://a.example/wx"
    )
