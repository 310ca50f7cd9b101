"""Whom a code of WeCom names, and what happens when WeCom refuses or does not answer.

Red when a code is sent again after any answer but a refused token, when a member and an outsider are mixed up, and
when an error or log line quotes what was sent.
"""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from config_files import tree
from harness import Clock
from redis.asyncio import Redis
from wecom_town import CORP, OTHER_CORP, SECOND_APP, WeCom

from models.errors import WeChatUnavailable
from sandbox.account import OfficialAccount, WeComApp
from sandbox.app import make_app
from sandbox.faults import SnsFault
from service.config.settings import validate
from service.wechat.build import build_wecom_apps
from service.wechat.transport import ApiAccount
from service.wechat.wecom import WeComAuthorization, open_wecom

USERINFO = "auth/getuserinfo"
CODE = "kCPq6ml2xYZ" * 4
BAD_TOKENS = (40001, 40014, 42001)


@pytest.fixture
async def town(aiohttp_client: Any, account: ApiAccount) -> WeCom:
    """The sandbox, with two enterprises."""
    clock, official = Clock(), OfficialAccount
    own = official(appid="wx1", secret="s", token="t", aes_key="k", gh_id="g", callback_url="http://127.0.0.1:1/")
    apps = [CORP, SECOND_APP, OTHER_CORP]
    app = make_app([own], wecom_apps=apps, public_url="http://phone.test", clock=clock.seconds)
    return WeCom(await aiohttp_client(app), clock)


def credentials(app: WeComApp, base: str, **changes: Any) -> ApiAccount:
    known = {"appid": app.corpid, "secret": app.secret, "agentid": app.agentid, "api_base": base}
    return ApiAccount(**(known | changes))


@pytest.fixture
async def opened(town: WeCom, redis: Redis) -> AsyncIterator[dict[str, WeComAuthorization]]:
    base = str(town.client.make_url("/"))
    accounts = {
        "corp": credentials(CORP, base),
        "second": credentials(SECOND_APP, base),
        "other": credentials(OTHER_CORP, base),
        "wrong": credentials(CORP, base, secret="wrong", agentid=1),
    }
    async with open_wecom(accounts, redis=redis) as authorizations:
        yield dict(authorizations)


@pytest.fixture
async def scripted(account: ApiAccount, redis: Redis, wechat: Any) -> AsyncIterator[WeComAuthorization]:
    """An application of the scripted WeCom."""
    wechat.script["gettoken"] = [
        {"errcode": 0, "errmsg": "ok", "access_token": f"token-{number}", "expires_in": 7200}
        for number in range(1, 4)
    ]
    own = ApiAccount("ww00112233445566cc", "the-secret", account.api_base, agentid=7)
    async with open_wecom({"corp": own}, redis=redis) as authorizations:
        yield authorizations["corp"]


async def refused(authorization: WeComAuthorization, code: str) -> int | None:
    with pytest.raises(WeChatUnavailable) as caught:
        await authorization.exchange(code)
    return caught.value.errcode


@pytest.mark.parametrize("older", [False, True], ids=["today", "older"])
async def test_members_and_outsiders_are_named_in_either_spelling(
    town: WeCom, opened: dict[str, WeComAuthorization], *, older: bool
) -> None:
    anna, ben, enterprises = await town.anna(), await town.anna(), town.authorization.enterprises
    enterprises.is_older = older
    enterprises.enroll(anna, "Anna.Li", corpid=CORP.corpid)
    grants = [await opened["corp"].exchange(enterprises.code(CORP, person)) for person in (anna, ben)]
    assert [grant.openid for grant in grants] == ["anna.li", f":{ben.openid(CORP.corpid)}"]
    assert {(grant.unionid, grant.snapshot) for grant in grants} == {(None, False)}


async def test_a_code_counts_once_for_its_own_application(
    town: WeCom, opened: dict[str, WeComAuthorization]
) -> None:
    code = town.authorization.enterprises.code(CORP, await town.anna())
    assert [await refused(opened[name], code) for name in ("other", "second")] == [40029, 40029]
    await opened["corp"].exchange(code)
    assert await refused(opened["corp"], code) == 40029


async def test_each_application_of_an_enterprise_has_its_own_token(
    town: WeCom, opened: dict[str, WeComAuthorization], redis: Redis
) -> None:
    enterprises, person = town.authorization.enterprises, await town.anna()
    for name, app in (("corp", CORP), ("second", SECOND_APP)):
        await opened[name].exchange(enterprises.code(app, person))
    keys = await redis.keys("scanbind:*:token")
    assert sorted(keys) == [
        f"scanbind:{{{CORP.corpid}.{CORP.agentid}}}:token",
        f"scanbind:{{{CORP.corpid}.{SECOND_APP.agentid}}}:token",
    ]


async def test_a_wrong_secret_and_an_unlisted_address_are_told_by_errcode(
    town: WeCom, opened: dict[str, WeComAuthorization], caplog: pytest.LogCaptureFixture
) -> None:
    assert await refused(opened["wrong"], CODE) == 40001
    town.authorization.enterprises.trusted = set()
    assert await refused(opened["corp"], CODE) == 60020
    assert "ip=127.0.0.1" in caplog.text


@pytest.mark.parametrize("fault", list(SnsFault), ids=str)
async def test_a_code_is_sent_once_whatever_is_answered(
    town: WeCom, opened: dict[str, WeComAuthorization], fault: SnsFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `exchange` repeats what another remedy than NEW_TOKEN would."""
    town.authorization.delay = 10.0
    enterprises, asked = town.authorization.enterprises, []
    answer = enterprises.userinfo
    monkeypatch.setattr(enterprises, "userinfo", lambda *q, **how: asked.append(q) or answer(*q, **how))
    town.authorization.fault = fault
    code = enterprises.code(CORP, await town.anna())
    assert await refused(opened["corp"], code) in (None, -1, 45009, 45011)
    assert len(asked) <= 1


@pytest.mark.parametrize("errcode", BAD_TOKENS)
async def test_a_refused_token_is_replaced_and_the_code_sent_with_the_new_one(
    scripted: WeComAuthorization, wechat: Any, errcode: int
) -> None:
    refusal, person = {"errcode": errcode, "errmsg": "no"}, {"errcode": 0, "userid": "Anna"}
    wechat.script[USERINFO] = [refusal, person]
    assert (await scripted.exchange(CODE)).openid == "anna"
    assert wechat.tokens_used(USERINFO) == ["token-1", "token-2"]
    wechat.script[USERINFO] = [refusal]
    assert await refused(scripted, CODE) == errcode
    assert len(wechat.asked[USERINFO]) == 4


@pytest.mark.parametrize(
    "answer",
    [None, b"<html>", {"errcode": -1}, {"errcode": 40029}, {"errcode": 60020}, {"errcode": 45009}, {"errcode": 0}],
    ids=str,
)
async def test_any_other_answer_ends_it(scripted: WeComAuthorization, wechat: Any, answer: Any) -> None:
    wechat.script[USERINFO] = [answer]
    await refused(scripted, CODE)
    assert len(wechat.asked[USERINFO]) == 1


@pytest.mark.parametrize(
    "person",
    [
        {"userid": ""},
        {"userid": None},
        {"userid": ["anna"]},
        {"userid": ":oAnna"},
        {"userid": ".anna"},
        {"userid": "a" * 65},
        {"userid": "安娜"},
        {"openid": "o" * 64},
        {"openid": 7},
        {"external_userid": "wm1"},
    ],
    ids=str,
)
async def test_an_answer_without_a_person_names_none(
    scripted: WeComAuthorization, wechat: Any, person: dict[str, Any]
) -> None:
    wechat.script[USERINFO] = [{"errcode": 0, "errmsg": "ok", **person}]
    assert await refused(scripted, CODE) is None


async def test_a_member_who_has_an_openid_as_well_is_a_member(scripted: WeComAuthorization, wechat: Any) -> None:
    wechat.script[USERINFO] = [{"errcode": 0, "userid": "Anna", "openid": "oAnna"}]
    assert (await scripted.exchange(CODE)).openid == "anna"


async def test_no_log_line_and_no_error_quotes_what_was_sent(
    scripted: WeComAuthorization, wechat: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wechat.script[USERINFO] = [{"errcode": 40029, "errmsg": f"invalid code {CODE} token-1 the-secret"}]
    with pytest.raises(WeChatUnavailable) as caught:
        await scripted.exchange(CODE)
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("service.")]
    assert logged
    for text in (*logged, str(caught.value), str(caught.value.__cause__)):
        assert not any(secret in text for secret in (CODE, "token-1", "the-secret"))


def test_the_credentials_are_those_of_the_apps_in_wecom() -> None:
    corp = {"kind": "wecom", "corpid": CORP.corpid, "agentid": CORP.agentid, "secret": "corp-secret"}
    settings = validate({**tree(), "apps": {"corp": corp}}, {"HTTPS_PROXY": "http://127.0.0.1:9"})
    expected = ApiAccount(
        CORP.corpid, "corp-secret", "https://qyapi.weixin.qq.com", "http://127.0.0.1:9", CORP.agentid
    )
    assert build_wecom_apps(settings) == {"corp": expected}
