"""Credentials of accounts and websites with web authorization, and what an operator must check by hand.

Red when an unused account or app is checked, when a wrong secret is called good, and when an address without a
domain gets notes as if WeChat could return to it.

Covers: service.doctor.made_up_code.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from harness import ACCOUNT, WEBSITE, account, application, client
from serving import listening

from sandbox.app import make_app
from service.config.settings import validate
from service.doctor.finding import Finding
from service.doctor.report import examine
from service.doctor.web_authorization import check_web_authorization

OFFICIAL = replace(ACCOUNT, oauth="userinfo")
ACCEPTED = "WeChat accepts its secret for web authorization"


@pytest.fixture
async def wechat() -> AsyncIterator[str]:
    async with listening(make_app([OFFICIAL], [WEBSITE], public_url="http://weixin.qq.com")) as base:
        yield base


def configuration(wechat: str, *methods: str, url: str = "https://login.example", **more: Any) -> dict[str, Any]:
    shop = client("shop", apps=["site"], methods=list(methods), return_urls=["https://shop.example/done"])
    return {
        "server": {"public_url": url},
        "accounts": {"main": account(OFFICIAL, api_base=wechat)},
        "apps": {"site": application(WEBSITE, wechat=wechat)},
        "clients": {"shop": shop},
        **more,
    }


async def found(values: dict[str, Any], environ: dict[str, str] | None = None) -> list[Finding]:
    return [finding async for finding in check_web_authorization(validate(values, environ or {}))]


async def test_a_website_is_checked_and_its_domain_is_named(wechat: str) -> None:
    good, note = await found(configuration(wechat, "scan", "website"))
    assert good == Finding(True, "apps.site", ACCEPTED)
    assert (note.ok, note.subject, note.untested) == (True, "apps.site", True)
    assert "授权回调域 in the console of the Open Platform is login.example" in note.message
    assert "该链接无法访问" in note.remedy


@pytest.mark.parametrize("method", ["h5", "link"])
async def test_an_account_is_checked_and_its_domain_and_scope_are_named(wechat: str, method: str) -> None:
    good, console, reputation = await found(configuration(wechat, "scan", method))
    assert good == Finding(True, "accounts.main", ACCEPTED)
    assert "login.example is a 网页授权域名" in console.message
    assert "may ask for userinfo" in console.message
    for hint in ("10003", "10005", "accounts.main.oauth", "MP_verify_"):
        assert hint in console.remedy
    assert (reputation.subject, reputation.untested) == ("server.public_url", True)
    assert "已停止访问该网页" in reputation.message
    assert reputation.remedy == "keep another method beside h5 and link"
    assert str(reputation).startswith("note     server.public_url: cannot be tested from here")


async def test_a_client_whose_pages_all_open_inside_wechat_is_named(wechat: str) -> None:
    *_, reputation = await found(configuration(wechat, "h5", "link"))
    assert reputation.remedy.endswith("without one: shop")


async def test_the_file_of_the_console_is_asked_for_where_it_is_lacking(wechat: str) -> None:
    files = {"MP_verify_0123456789abcdef.txt": "0123456789abcdef"}
    test_account = configuration(wechat, "h5")
    test_account["accounts"]["main"] |= {"kind": "test", "mode": "plain", "aes_key": ""}
    for values in (configuration(wechat, "h5", verify_files=files), test_account):
        _, console, _ = await found(values)
        assert "10003" in console.remedy
        assert "MP_verify_" not in console.remedy


async def test_what_no_method_uses_is_not_checked(wechat: str) -> None:
    assert await found(configuration(wechat, "scan")) == []
    values = configuration(wechat, "h5", "website")
    values["accounts"]["pages"] = account(
        replace(OFFICIAL, appid="wx00000000000000cc"), api_base="http://127.0.0.1:9"
    )
    values["apps"]["other"] = values["apps"]["site"] | {"appid": "wx00000000000000dd", "secret": "0" * 32}
    assert {finding.subject for finding in await found(values)} == {
        "accounts.main",
        "apps.site",
        "server.public_url",
    }


@pytest.mark.parametrize(
    ("part", "changes", "message", "remedy"),
    [
        ("apps", {"secret": "0" * 32}, "errcode 40125", "correct apps.site.secret"),
        ("apps", {"appid": "wx00000000000000dd"}, "errcode 40013", "correct apps.site.appid"),
        (
            "apps",
            {"api_base": "http://127.0.0.1:9"},
            "WeChat does not answer: ClientConn",
            "check that http://127.0",
        ),
        ("accounts", {"secret": "0" * 32}, "errcode 40125", "correct accounts.main.secret"),
        (
            "accounts",
            {"proxy": "http://127.0.0.1:9"},
            "through the proxy",
            "correct accounts.main.proxy or HTTPS_PROXY",
        ),
    ],
)
async def test_credentials_that_do_not_work_are_told_with_a_remedy(
    wechat: str, part: str, changes: dict[str, str], message: str, remedy: str
) -> None:
    values = configuration(wechat, "website" if part == "apps" else "h5")
    [name] = values[part]
    values[part][name] |= changes
    failed, *_ = await found(values)
    assert (failed.ok, failed.subject) == (False, f"{part}.{name}")
    assert message in failed.message
    assert failed.remedy.startswith(remedy)
    assert not any(secret in str(failed) for secret in (WEBSITE.secret, OFFICIAL.secret, "0" * 32))


async def test_a_website_has_only_the_proxy_of_the_environment() -> None:
    values = configuration("https://api.example", "website")
    failed, _ = await found(values, {"HTTPS_PROXY": "http://anna:hunter2@127.0.0.1:9"})
    assert failed.remedy == "correct HTTPS_PROXY, or check that the proxy reaches https://api.example"
    assert failed.message.endswith(", through the proxy 127.0.0.1:9")


async def test_a_host_that_accepts_any_code_is_not_wechat() -> None:
    async def anything(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    app = web.Application()
    app.router.add_get("/{path:.*}", anything)
    async with listening(app) as base:
        failed, _ = await found(configuration(base, "website"))
    assert (failed.ok, failed.remedy) == (False, "correct apps.site.api_base")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9", "https://192.168.7.8", "https://203.0.113.7", "https://[2001:db8::1]", "https://box"],
)
async def test_an_address_without_a_domain_is_warned_of(wechat: str, url: str) -> None:
    good, warning = await found(configuration(wechat, "website", url=url))
    assert good.ok
    assert (warning.ok, warning.subject) == (None, "server.public_url")
    assert warning.message.startswith("WeChat lets people come back only to a domain")


async def test_the_report_has_these_findings(wechat: str, tmp_path: Any) -> None:
    values = configuration(wechat, "website", url="http://127.0.0.1:9", data_dir=str(tmp_path))
    assert Finding(True, "apps.site", ACCEPTED) in await examine(validate(values))
