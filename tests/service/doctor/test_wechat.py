"""Accounts that get no access token: the address that WeChat saw, and the proxy that failed.

Red when `_refused` leaves out the address or the proxy.
"""

from typing import Any

import pytest
from aiohttp import web
from config_files import tree
from forward_proxy import forward_proxy
from serving import listening

from service.config.settings import validate
from service.doctor.finding import Finding
from service.doctor.wechat import check_accounts, check_clock


async def account(**changes: str) -> Finding:
    settings = validate(tree(**{f"accounts__main__{name}": value for name, value in changes.items()}))
    [finding] = [finding async for finding in check_accounts(settings)]
    return finding


def answering(body: Any) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@pytest.mark.parametrize(
    ("errmsg", "address"),
    [
        ("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 0a-1b-2c", "203.0.113.7"),
        ("not in whitelist", None),
    ],
)
async def test_an_address_off_the_whitelist_is_named_with_the_ways_out(errmsg: str, address: str | None) -> None:
    async with listening(answering({"errcode": 40164, "errmsg": errmsg})) as base:
        finding = await account(api_base=base)
    assert finding.ok is False
    assert finding.message == "WeChat issues no access token: errcode 40164" + (
        f"; it saw the address {address}" if address else ""
    )
    assert f"add {address or 'this machine'}" in finding.remedy
    assert "accounts.main.proxy or accounts.main.api_base" in finding.remedy


async def test_a_working_proxy_is_named() -> None:
    async with listening(answering({"access_token": "t", "expires_in": 7200})) as base, forward_proxy() as proxy:
        finding = await account(api_base=base, proxy=f"http://anna:hunter2@{proxy.address}")
        settings = validate(tree(accounts__main__api_base=base, accounts__main__proxy=f"http://{proxy.address}"))
        [clock] = [finding async for finding in check_clock(settings)]
    assert str(finding).endswith(f"WeChat issues an access token, through the proxy {proxy.address}")
    assert [asked.method for asked in proxy.asked] == ["POST", "HEAD"]
    assert clock.ok


async def test_a_proxy_that_fails_is_named_without_its_password() -> None:
    refused = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
    async with forward_proxy(refuses=refused) as proxy:
        finding = await account(proxy=f"http://anna:hunter2@{proxy.address}")
    assert finding.ok is False
    assert finding.message == f"WeChat does not answer: no tunnel, HTTP 407, through the proxy {proxy.address}"
    assert finding.remedy.startswith("correct accounts.main.proxy or HTTPS_PROXY")
    assert "hunter2" not in str(finding)
