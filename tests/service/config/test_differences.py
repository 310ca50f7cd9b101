"""Comparison of settings: red when a line contains a value, or a part that cannot change is taken."""

from pathlib import Path
from typing import Any

import pytest
from harness import ACCOUNT, account, client

from service.config.differences import differences, with_fixed
from service.config.settings import ConfigError, Settings, validate

MAIN = account(ACCOUNT, api_base="https://api.weixin.qq.com")


def settings(**changes: Any) -> Settings:
    return validate({"accounts": {"main": MAIN}, "clients": {"shop": client("shop")}, **changes})


def test_each_part_is_named_by_its_path() -> None:
    hook = {"url": "https://shop.example/hooks", "secret": "whsec_" + "QUFB" * 11}
    old = settings(clients={"shop": client("shop", webhooks=[hook]), "club": client("club")})
    new = settings(
        clients={
            "shop": client(
                "shop", secret="another secret of it", webhooks=[{**hook, "events": ["binding.moved"]}]
            ),
            "desk": client("club"),
        },
        limits={"waiting": 7},
    )
    assert list(differences(old, new)) == [
        "clients.shop.secret: changed",
        "clients.shop.webhooks.0.events: changed",
        "clients.club: removed",
        "clients.desk: added",
        "limits.waiting: changed",
    ]
    assert list(differences(new, new)) == []


def test_an_app_of_another_kind_is_one_change() -> None:
    site = {"kind": "website", "appid": ACCOUNT.appid[:-1] + "0", "secret": "7" * 32}
    mini = {**site, "kind": "miniprogram", "page": "pages/scan/index"}
    old, new = settings(apps={"other": site}), settings(apps={"other": mini})
    assert list(differences(old, new)) == ["apps.other: changed"]


def test_what_is_open_stays() -> None:
    old = settings()
    new = settings(
        server={"port": 9000, "trusted_proxies": ["10.0.0.0/8"]}, data_dir="/elsewhere", secret_key="k" * 32
    )
    taken, fixed = with_fixed(old, new)
    assert fixed == ["server.port", "data_dir"]
    assert (taken.server.port, taken.data_dir) == (8080, Path("var"))
    assert taken.server.public_url == "http://127.0.0.1:8080"  # derived from the port
    assert [str(network) for network in taken.server.trusted_proxies] == ["10.0.0.0/8"]
    assert taken.secret_key == new.secret_key


def test_a_public_address_is_taken_beside_a_port_that_is_not() -> None:
    new = settings(server={"port": 9000, "public_url": "https://login.shop.example"})
    taken, _ = with_fixed(settings(), new)
    assert (taken.server.port, taken.server.public_url) == (8080, "https://login.shop.example")


def test_a_public_address_that_is_no_longer_set_follows_the_port_that_stays() -> None:
    """Red when it stays as it was, and the reload says nothing of it."""
    old = settings(server={"port": 8443, "public_url": "https://login.shop.example"})
    taken, _ = with_fixed(old, settings(server={"port": 9000}))
    assert taken.server.public_url == "http://127.0.0.1:8443"


def test_stores_that_stay_keep_needing_a_secret_key() -> None:
    """Red when a change to embedded stores, which wait for a restart, changes the key of each process at once."""
    old = settings(redis={"url": "redis://store.example"}, secret_key="k" * 32)
    with pytest.raises(ConfigError, match="secret_key: is missing"):
        with_fixed(old, settings())
    assert with_fixed(old, settings(secret_key="k" * 32))[1] == ["redis"]
    assert with_fixed(settings(), settings())[1] == []
