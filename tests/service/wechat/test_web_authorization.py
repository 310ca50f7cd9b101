"""The `sns` calls: what an authorization tells, and what happens when WeChat refuses or does not answer.

Red when a code is sent again after a cut connection, by `insist` or by aiohttp (`_send_once`), when a snapshot is
not told, and when an error or log line quotes what was sent.
"""

import logging
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from authorizing import SITE, WeChat
from bad_methods import MINI, WEBSITE, WECOM
from config_files import ACCOUNT, tree
from harness import ACCOUNT as OFFICIAL
from harness import Clock

from models.errors import WeChatUnavailable
from models.language import Lang
from sandbox.app import make_app
from sandbox.faults import SnsFault
from service.config.settings import validate
from service.wechat import transport
from service.wechat.build import build_web_accounts
from service.wechat.transport import ApiAccount
from service.wechat.web_authorization import WebAuthorization, WebProfile, open_web_authorizations

EXCHANGE, USERINFO = "sns/oauth2/access_token", "sns/userinfo"
CODE = "081Kq6ml2xYZ" * 3
TOLD = {"openid": "o_person", "access_token": "sns-token", "scope": "snsapi_login", "unionid": "u_1"}
SHOWN = {"openid": "o_person", "nickname": "Anna", "headimgurl": "https://pictures.example/1", "unionid": "u_1"}


@pytest.fixture
async def town(aiohttp_client: Any) -> WeChat:
    """The sandbox, of which an account and a website are called."""
    official = replace(OFFICIAL, oauth="userinfo", oauth_domain="login.test", open_platform="acme")
    clock = Clock()
    app = make_app([official], [SITE], public_url="http://phone.test", clock=clock.seconds)
    return WeChat(await aiohttp_client(app), clock)


@pytest.fixture
async def opened(town: WeChat) -> AsyncIterator[dict[str, WebAuthorization]]:
    base = str(town.client.make_url("/"))
    accounts = {
        "main": ApiAccount(OFFICIAL.appid, OFFICIAL.secret, base),
        "site": ApiAccount(SITE.appid, SITE.secret, base),
        "wrong": ApiAccount(SITE.appid, "0" * 32, base),
    }
    async with open_web_authorizations(accounts) as authorizations:
        yield dict(authorizations)


@pytest.fixture
async def scripted(account: ApiAccount) -> AsyncIterator[WebAuthorization]:
    """The web authorization of the scripted WeChat."""
    async with open_web_authorizations({"main": account}) as authorizations:
        yield authorizations["main"]


async def refused(authorization: WebAuthorization, code: str) -> int | None:
    with pytest.raises(WeChatUnavailable) as caught:
        await authorization.exchange(code)
    return caught.value.errcode


async def test_a_website_is_told_person_name_and_picture(
    town: WeChat, opened: dict[str, WebAuthorization]
) -> None:
    anna = await town.anna()
    grant = await opened["site"].exchange(await town.code(anna))
    assert (grant.openid, grant.unionid) == (anna.openid(SITE.appid), anna.unionid("acme"))
    assert (grant.scope, grant.snapshot) == ("snsapi_login", False)
    profile = await opened["site"].profile(grant, lang=Lang.ZH)
    assert (profile.unionid, profile.nickname) == (grant.unionid, "Anna")
    assert profile.picture
    assert profile.picture.startswith(str(town.client.make_url("/mmopen/")))


async def test_an_app_of_no_open_platform_is_told_no_unionid(
    town: WeChat, opened: dict[str, WebAuthorization]
) -> None:
    town.authorization.move(SITE.appid, to=None)
    grant = await opened["site"].exchange(await town.code(await town.anna()))
    assert grant.unionid is (await opened["site"].profile(grant, lang=Lang.EN)).unionid is None


async def test_an_account_is_told_the_profile_under_userinfo_alone(
    town: WeChat, opened: dict[str, WebAuthorization]
) -> None:
    anna = await town.anna()
    grant = await opened["main"].exchange(await town.inside(anna, "snsapi_userinfo"))
    assert (grant.scope, grant.unionid) == ("snsapi_userinfo", anna.unionid("acme"))
    assert (await opened["main"].profile(grant, lang=Lang.EN)).nickname == "Anna"
    base = await opened["main"].exchange(await town.inside(anna))
    assert (base.openid, base.scope, base.unionid) == (grant.openid, "snsapi_base", None)
    with pytest.raises(WeChatUnavailable) as caught:
        await opened["main"].profile(base, lang=Lang.EN)
    assert caught.value.errcode == 48001


async def test_a_snapshot_is_told(town: WeChat, opened: dict[str, WebAuthorization]) -> None:
    anna = await town.anna()
    town.authorization.show_snapshots(anna, on=True)
    grant = await opened["main"].exchange(await town.inside(anna, "snsapi_userinfo"))
    assert grant.snapshot
    assert grant.openid != anna.openid(OFFICIAL.appid)
    assert (await opened["main"].profile(grant, lang=Lang.EN)).nickname == "WeChat User"
    assert (await opened["main"].profile(grant, lang=Lang.ZH)).nickname == "微信用户"


async def test_a_code_that_is_wrong_used_or_over_is_refused(
    town: WeChat, opened: dict[str, WebAuthorization]
) -> None:
    anna = await town.anna()
    used, late = await town.code(anna), await town.code(anna)
    assert await refused(opened["wrong"], used) == 40125
    assert await refused(opened["main"], used) == 40029  # of another app
    await opened["site"].exchange(used)
    assert await refused(opened["site"], used) == 40163
    town.clock.advance(600)
    assert await refused(opened["site"], late) == 42003


@pytest.mark.parametrize(
    ("fault", "errcode", "used_up"),
    [
        (SnsFault.AWAY, None, False),
        (SnsFault.CUT, None, True),
        (SnsFault.SLOW, None, True),
        (SnsFault.BUSY, -1, False),
        (SnsFault.DAY_QUOTA, 45009, False),
        (SnsFault.MINUTE_QUOTA, 45011, False),
    ],
)
async def test_a_fault_of_wechat_is_a_failure(
    town: WeChat,
    opened: dict[str, WebAuthorization],
    monkeypatch: pytest.MonkeyPatch,
    *,
    fault: SnsFault,
    errcode: int | None,
    used_up: bool,
) -> None:
    code = await town.code(await town.anna())
    if fault is SnsFault.SLOW:
        monkeypatch.setattr(transport, "DEADLINE", 0.2)
        town.authorization.delay = 0.5
    town.authorization.fault = fault
    assert await refused(opened["site"], code) == errcode
    monkeypatch.undo()
    town.authorization.fault = None
    if used_up:
        assert await refused(opened["site"], code) == 40163
    else:
        assert (await opened["site"].exchange(code)).openid


@pytest.mark.parametrize("answer", [None, b"<html>", {"errcode": -1, "errmsg": "system error"}])
async def test_a_code_is_sent_once(scripted: WebAuthorization, wechat: Any, answer: Any) -> None:
    wechat.script[EXCHANGE] = [answer]
    await refused(scripted, "a-code")
    assert [dict(asked.query) for asked in wechat.asked[EXCHANGE]] == [
        {
            "appid": "wx0123456789abcdef",
            "secret": "the-secret",
            "code": "a-code",
            "grant_type": "authorization_code",
        }
    ]


async def test_each_call_has_a_connection_of_its_own(scripted: WebAuthorization, wechat: Any) -> None:
    """A connection that is kept may be closed by WeChat just when a code is sent through it."""
    wechat.script |= {EXCHANGE: [TOLD], USERINFO: [SHOWN]}
    await scripted.profile(await scripted.exchange("a-code"), lang=Lang.ZH)
    for call in (EXCHANGE, USERINFO):
        assert wechat.asked[call][0].headers["Connection"] == "close"


async def test_a_profile_is_asked_for_again_with_the_same_token(scripted: WebAuthorization, wechat: Any) -> None:
    wechat.script |= {EXCHANGE: [TOLD], USERINFO: [None, SHOWN]}
    profile = await scripted.profile(await scripted.exchange("a-code"), lang=Lang.EN)
    assert profile == WebProfile("u_1", "Anna", "https://pictures.example/1")
    once = {"access_token": "sns-token", "openid": "o_person", "lang": "en"}
    assert [dict(asked.query) for asked in wechat.asked[USERINFO]] == [once, once]


@pytest.mark.parametrize("errcode", [40001, 40003, 42001, 48001, 45011])
async def test_a_refused_profile_is_not_asked_for_again(
    scripted: WebAuthorization, wechat: Any, errcode: int
) -> None:
    wechat.script |= {EXCHANGE: [TOLD], USERINFO: [{"errcode": errcode, "errmsg": "no"}]}
    with pytest.raises(WeChatUnavailable) as caught:
        await scripted.profile(await scripted.exchange("a-code"), lang=Lang.ZH)
    assert caught.value.errcode == errcode
    assert len(wechat.asked[USERINFO]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"openid": None},
        {"openid": ""},
        {"openid": 5},
        {"openid": "o person"},
        {"openid": "o" * 65},
        {"access_token": None},
        {"access_token": "a\nb"},
        {"unionid": "中文"},
        {"unionid": 7},
    ],
)
async def test_an_answer_without_person_or_token_is_a_failure(
    scripted: WebAuthorization, wechat: Any, changes: dict[str, Any]
) -> None:
    wechat.script[EXCHANGE] = [TOLD | changes]
    assert await refused(scripted, "a-code") is None


@pytest.mark.parametrize(
    ("told", "snapshot"),
    [(0, False), ("0", False), (None, False), (1, True), ("1", True), ([], True)],
)
async def test_what_may_be_a_snapshot_is_one(
    scripted: WebAuthorization, wechat: Any, told: Any, *, snapshot: bool
) -> None:
    wechat.script[EXCHANGE] = [TOLD | ({"is_snapshotuser": told})]
    assert (await scripted.exchange("a-code")).snapshot is snapshot


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"nickname": ""}, WebProfile("u_1", None, SHOWN["headimgurl"])),
        ({"nickname": 5, "headimgurl": ""}, WebProfile("u_1", None, None)),
        ({"nickname": "龙" * 257, "headimgurl": "https://x/" + "y" * 512}, WebProfile("u_1", "龙" * 256, None)),
        ({"nickname": "a\ud83d\n", "headimgurl": ["x"]}, WebProfile("u_1", "a\n", None)),
        ({"nickname": "\ud83d", "unionid": None}, WebProfile(None, None, SHOWN["headimgurl"])),
    ],
)
async def test_a_profile_is_bounded_and_can_be_encoded(
    scripted: WebAuthorization, wechat: Any, changes: dict[str, Any], expected: WebProfile
) -> None:
    wechat.script |= {EXCHANGE: [TOLD], USERINFO: [SHOWN | changes]}
    assert await scripted.profile(await scripted.exchange("a-code"), lang=Lang.ZH) == expected


@pytest.mark.parametrize("answer", [{}, {**SHOWN, "openid": "o_other"}, {**SHOWN, "unionid": 5}])
async def test_a_profile_without_the_persons_openid_is_a_failure(
    scripted: WebAuthorization, wechat: Any, answer: Any
) -> None:
    wechat.script |= {EXCHANGE: [TOLD], USERINFO: [answer]}
    with pytest.raises(WeChatUnavailable) as caught:
        await scripted.profile(await scripted.exchange("a-code"), lang=Lang.ZH)
    assert caught.value.errcode is None


@pytest.mark.parametrize("answer", [None, {"errcode": 40029, "errmsg": f"of {CODE}"}, CODE.encode()])
async def test_neither_log_nor_error_holds_a_secret_a_code_or_a_token(
    scripted: WebAuthorization, wechat: Any, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    caplog.set_level(logging.DEBUG, logger="service")
    wechat.script |= {EXCHANGE: [TOLD, answer], USERINFO: [answer]}
    grant = await scripted.exchange(CODE)
    with pytest.raises(WeChatUnavailable) as profile:
        await scripted.profile(grant, lang=Lang.ZH)
    with pytest.raises(WeChatUnavailable) as again:
        await scripted.exchange(CODE)
    raised = "".join("".join(traceback.format_exception(caught.value)) for caught in (profile, again))
    said = caplog.text + raised + repr(grant)
    for endpoint in (EXCHANGE, USERINFO):
        warned = f"WeChat API: {endpoint} failed for wx0123456789abcdef: errcode="
        assert [entry.levelno for entry in caplog.records if warned in entry.getMessage()] == [logging.WARNING]
    assert not any(secret in said for secret in ("the-secret", CODE, "sns-token"))


def test_accounts_with_web_authorization_and_websites_have_credentials() -> None:
    def built(**changes: Any) -> dict[str, ApiAccount]:
        settings = validate(tree(**changes), {"HTTPS_PROXY": "http://p.example:1"})
        assert "p.example" not in repr(settings), "the address of a proxy may contain a password"
        return build_web_accounts(settings)

    site = ApiAccount(WEBSITE["appid"], WEBSITE["secret"], proxy="http://p.example:1")
    assert built(apps={"site": WEBSITE, "mini": MINI, "corp": WECOM}) == {"site": site}
    main = ApiAccount(ACCOUNT["appid"], ACCOUNT["secret"], "http://127.0.0.1:9")
    assert built(accounts__main__oauth="base", accounts__main__api_base="http://127.0.0.1:9") == {"main": main}
