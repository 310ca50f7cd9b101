"""An application in WeCom: its secret, the address that calls, and what an operator must check by hand.

Red when an address that is not listed is called good, when the remedy does not name it, and when a secret is told.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from harness import ACCOUNT, CORP, account, application, client
from serving import listening

from sandbox.app import AUTHORIZATION, make_app
from service.config.settings import validate
from service.doctor.finding import Finding
from service.doctor.web_authorization import check_web_authorization

ACCEPTED = "WeCom accepts its secret and the address of this machine"


@pytest.fixture
def emulated() -> web.Application:
    return make_app([ACCOUNT], wecom_apps=[CORP], public_url="http://weixin.qq.com")


@pytest.fixture
async def wecom(emulated: web.Application) -> AsyncIterator[str]:
    async with listening(emulated) as base:
        yield base


async def found(base: str, *, methods: tuple[str, ...] = ("wecom",), **changes: Any) -> list[Finding]:
    url, files = changes.pop("url", "https://login.example"), changes.pop("files", {})
    shop = client("shop", apps=["corp"], methods=[*methods, "scan"], return_urls=["https://shop.example/done"])
    values = {
        "server": {"public_url": url},
        "accounts": {"main": account(ACCOUNT, api_base=base)},
        "apps": {"corp": application(CORP, wechat=base, **changes)},
        "clients": {"shop": shop},
        "verify_files": files,
    }
    return [finding async for finding in check_web_authorization(validate(values))]


async def test_an_application_is_checked_and_its_domain_and_file_are_named(wecom: str) -> None:
    good, note = await found(wecom)
    assert good == Finding(True, "apps.corp", ACCEPTED)
    assert (note.ok, note.subject, note.untested) == (True, "apps.corp", True)
    for text in ("login.example", "可信域名", "1000002"):
        assert text in note.message
    for text in ("login.example", "50001", "WW_verify_….txt"):
        assert text in note.remedy
    _, note = await found(wecom, files={"WW_verify_0123456789abcdef.txt": "0123456789abcdef"})
    assert "WW_verify_" not in note.remedy


async def test_an_address_that_is_not_listed_is_told_with_where_to_enter_it(
    wecom: str, emulated: web.Application
) -> None:
    enterprises = emulated[AUTHORIZATION].enterprises
    enterprises.trusted = set()
    failed, _ = await found(wecom)
    assert (failed.ok, failed.subject) == (False, "apps.corp")
    assert failed.message == "WeCom refuses the application: errcode 60020; it saw the address 127.0.0.1"
    assert failed.remedy.startswith("enter 127.0.0.1 as 企业可信IP")
    enterprises.trusted.add("127.0.0.1")
    assert (await found(wecom))[0].ok


@pytest.mark.parametrize(
    ("changes", "message", "remedy"),
    [
        ({"secret": "z" * 43}, "errcode 40001", "correct apps.corp.secret"),
        ({"corpid": "ww99999999999999ff"}, "errcode 40013", "correct apps.corp.corpid"),
        ({"api_base": "http://127.0.0.1:9"}, "does not answer", "check that http://127.0.0.1:9"),
    ],
    ids=["secret", "corpid", "away"],
)
async def test_what_does_not_work_is_told_with_a_remedy(
    wecom: str, changes: dict[str, str], message: str, remedy: str
) -> None:
    failed, _ = await found(wecom, **changes)
    assert (failed.ok, failed.subject) == (False, "apps.corp")
    assert message in failed.message
    assert failed.remedy.startswith(remedy)
    assert not any(secret in str(failed) for secret in (CORP.secret, "z" * 43))


async def test_what_no_method_uses_is_not_checked(wecom: str) -> None:
    assert await found(wecom, methods=(), api_base="http://127.0.0.1:9") == []


async def test_an_address_without_a_domain_is_warned_of(wecom: str) -> None:
    good, warning = await found(wecom, url="http://127.0.0.1:9")
    assert (good.ok, warning.ok, warning.subject) == (True, None, "server.public_url")


@pytest.mark.parametrize(
    ("told", "message"),
    [({"errcode": 0, "access_token": "t"}, "not from WeChat"), ({"errcode": 0}, "no token in the answer")],
    ids=["anything", "no token"],
)
async def test_a_host_that_accepts_any_code_is_not_wecom(told: dict[str, Any], message: str) -> None:
    async def anything(_: web.Request) -> web.Response:
        return web.json_response(told)

    app = web.Application()
    app.router.add_get("/{path:.*}", anything)
    async with listening(app) as base:
        failed, _ = await found(base)
    assert not failed.ok
    assert message in failed.message
