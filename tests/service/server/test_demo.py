"""The addresses that the demo prints, on this machine and on the local network."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from yarl import URL

from sandbox.account import Website
from sandbox.app import AUTHORIZATION
from sandbox.in_app_browser import browser
from service.config.settings import ConfigError, validate
from service.server.demo import (
    Demo,
    _address,
    _announcement,
    _Apps,
    _browser_addresses,
    _values,
    _wechat,
    _with_addresses,
    trial,
)

LAN = "192.0.2.7"


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    """A socket on all addresses that does not listen, so no client can connect."""
    with socket.socket() as one:
        one.bind(("0.0.0.0", 0))
        yield one


def test_by_itself_everything_is_reached_by_the_loopback(bound: socket.socket) -> None:
    port = bound.getsockname()[1]
    assert _address(bound) == f"http://127.0.0.1:{port}"
    where = _browser_addresses(shop=bound, phone=bound, service=bound, on_lan=False)
    assert {where.shop, where.phone, where.service} == {f"http://127.0.0.1:{port}"}


def test_an_address_of_the_network_takes_the_place_of_the_loopback(bound: socket.socket) -> None:
    port = bound.getsockname()[1]
    assert _address(bound, LAN) == f"http://{LAN}:{port}"


def test_a_host_that_was_named_stays_even_on_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        where = _browser_addresses(shop=one, phone=one, service=one, on_lan=True)
        assert where.shop == f"http://127.0.0.1:{one.getsockname()[1]}"
        assert not where.shared


def test_the_shop_may_be_reached_by_network_and_by_this_machine() -> None:
    where = Demo(shop=f"http://{LAN}:80", phone=f"http://{LAN}:8082", service=f"http://{LAN}:8080", shared=True)
    callback, wechat = "http://127.0.0.1:8080/wechat/main", "http://127.0.0.1:8082"
    values = _values(where, _Apps.of(callback), password="p" * 32, wechat=wechat, shop_port=80)
    settings = _with_addresses(validate(values, {}), where, wechat=wechat)
    # a browser leaves the port of http out
    assert settings.clients["shop"].origins == (f"http://{LAN}", "http://127.0.0.1", "http://localhost")
    assert settings.server.public_url == f"http://{LAN}:8080"
    assert settings.clients["shop"].return_urls[0] == f"http://{LAN}/login/wechat/done"
    apps = settings.apps
    assert apps["mini"].api_base == "http://127.0.0.1:8082"
    for app in (settings.accounts["main"], apps["site"], apps["corp"]):
        assert (app.api_base, app.open_base) == ("http://127.0.0.1:8082", f"http://{LAN}:8082")


def test_wechat_leads_back_to_the_address_that_phones_use() -> None:
    """Red when a domain is the callback's, which phones cannot reach: WeChat shows 10003."""
    where = Demo(shop=f"http://{LAN}:81", phone=f"http://{LAN}:82", service=f"http://{LAN}:80", shared=True)
    callback = "http://127.0.0.1:80/wechat/main"
    app = _wechat(_Apps.of(callback), where, public_url=where.service)
    apps = app[AUTHORIZATION].apps.values()
    assert app[AUTHORIZATION].enterprises.app().domain == LAN
    assert {one.domain if isinstance(one, Website) else one.oauth_domain for one in apps} == {LAN}
    known = app[browser.KEY].sites
    for url in (f"{where.shop}/login", f"{where.service}/oauth/main"):
        assert known.include(URL(url), near=False)


@pytest.mark.parametrize("shared", [True, False])
def test_listening_on_the_network_is_announced(shared: bool) -> None:
    where = Demo(shop="http://a", phone="http://b", service="http://c", shared=shared)
    assert ("Every machine on this network" in _announcement(where)) is shared


@pytest.mark.parametrize("host", ["::1", "::", "2001:db8::7"])
async def test_a_host_that_no_security_policy_can_name_is_refused(host: str) -> None:
    with pytest.raises(OSError, match=r"IPv4 address in SCANBIND_SERVER__HOST"):
        async with trial({"SCANBIND_SERVER__HOST": host, "SCANBIND_SERVER__PORT": "0"}, port=0):
            pass


async def test_one_thing_of_the_shop_or_the_account_may_be_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    changed = {
        "SCANBIND_SERVER__PORT": "0",
        "SCANBIND_CLIENTS__SHOP__CONFIRM": "none",
        "SCANBIND_ACCOUNTS__MAIN__UNFOLLOW": "keep",
    }
    async with (
        trial(changed, port=0) as where,
        ClientSession() as http,
        http.get(f"{where.shop}/login") as page,
    ):
        assert page.status == 200


async def test_what_is_wrong_with_the_shop_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = {"SCANBIND_SERVER__PORT": "0", "SCANBIND_CLIENTS__SHOP__CONFIRM": "perhaps"}
    with pytest.raises(ConfigError, match=r"clients\.shop\.confirm"):
        async with trial(wrong, port=0):
            pass
