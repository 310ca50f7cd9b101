"""The calls of an application in WeCom: tokens, and whom a code names (wechat-protocol.md 7).

Red when a code works twice, late or for another application, when an unlisted address may call, and when a member
and an outsider are told alike.
"""

from typing import Any

import pytest
from wecom_town import CORP, OTHER_CORP, SECOND_APP, WeCom

from sandbox.people import Person


async def member(wecom: WeCom, userid: str = "ZhangSan") -> Person:
    person = await wecom.anna()
    wecom.authorization.enterprises.enroll(person, userid)
    return person


def code_of(wecom: WeCom, person: Person) -> str:
    return wecom.authorization.enterprises.code(CORP, person)


def errcode(told: dict[str, Any]) -> int:
    assert list(told) == ["errcode", "errmsg"]
    assert "from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/" in told["errmsg"]
    return int(told["errcode"])


async def test_a_token_is_the_same_until_it_expires_and_each_application_has_its_own(wecom: WeCom) -> None:
    first, again = await wecom.token(), await wecom.token()
    assert (first["errcode"], first["expires_in"], first["access_token"]) == (0, 7200, again["access_token"])
    assert len({(await wecom.token(app))["access_token"] for app in (CORP, SECOND_APP, OTHER_CORP)}) == 3
    wecom.clock.now += 7200
    assert errcode(await wecom.named("c", access_token=first["access_token"])) == 42001
    assert (await wecom.token())["access_token"] != first["access_token"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"corpsecret": "wrong"}, 40001),
        ({"corpsecret": OTHER_CORP.secret}, 40001),
        ({"corpid": "wwnone"}, 40013),
        ({"corpid": ""}, 41002),
        ({"corpsecret": ""}, 41004),
    ],
    ids=["secret", "foreign secret", "corpid", "no corpid", "no secret"],
)
async def test_wrong_credentials_get_no_token(wecom: WeCom, changes: dict[str, str], expected: int) -> None:
    assert errcode(await wecom.token(**changes)) == expected


async def test_a_revoked_token_ends_at_once(wecom: WeCom) -> None:
    token = (await wecom.token())["access_token"]
    await wecom.post("revoke_token", corp=CORP.corpid)
    assert errcode(await wecom.named("c", access_token=token)) == 40014


async def test_a_member_is_named_as_entered_and_an_outsider_by_openid(wecom: WeCom) -> None:
    person = await member(wecom)
    assert await wecom.named(code_of(wecom, person)) == {"errcode": 0, "errmsg": "ok", "userid": "ZhangSan"}
    await wecom.post("dismiss_member", user=person.id)
    openid = person.openid(CORP.corpid)
    assert await wecom.named(code_of(wecom, person)) == {"errcode": 0, "errmsg": "ok", "openid": openid}


async def test_the_older_spelling_is_told_while_it_is_switched_on(wecom: WeCom) -> None:
    anna, ben = await member(wecom), await wecom.anna()
    assert await wecom.post("older_spelling") == {"on": True}
    assert (await wecom.named(code_of(wecom, anna)))["UserId"] == "ZhangSan"
    assert "OpenId" in await wecom.named(code_of(wecom, ben))
    await wecom.post("older_spelling", on=False)
    assert "userid" in await wecom.named(code_of(wecom, anna))


async def test_a_code_works_once_in_time_and_for_its_own_application(wecom: WeCom) -> None:
    person = await member(wecom)
    code, late = code_of(wecom, person), code_of(wecom, person)
    for app in (SECOND_APP, OTHER_CORP):
        assert errcode(await wecom.named(code, app)) == 40029
    assert (await wecom.named(code))["errcode"] == 0
    assert [errcode(await wecom.named(one)) for one in (code, "made-up", "")] == [40029] * 3
    wecom.clock.now += 300
    assert errcode(await wecom.named(late)) == 40029


async def test_an_address_may_call_once_it_is_listed(wecom: WeCom) -> None:
    code = code_of(wecom, await member(wecom))
    assert await wecom.post("trust") == {"trusted": []}
    assert errcode(await wecom.named(code)) == 60020
    assert await wecom.post("trust", ip="127.0.0.1") == {"trusted": ["127.0.0.1"]}
    assert (await wecom.named(code))["userid"] == "ZhangSan"
    assert await wecom.post("trust_all") == {"trusted": None}


async def test_the_faults_of_the_sns_calls_are_those_of_getuserinfo(wecom: WeCom) -> None:
    code = code_of(wecom, await member(wecom))
    await wecom.post("sns_fault", fault="busy")
    assert errcode(await wecom.named(code)) == -1
    await wecom.post("sns_fault")
    assert (await wecom.named(code))["errcode"] == 0


async def test_the_oldest_codes_are_forgotten(wecom: WeCom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.wecom.enterprises.KEPT", 1)
    person = await member(wecom)
    first, _ = code_of(wecom, person), code_of(wecom, person)
    assert errcode(await wecom.named(first)) == 40029


async def test_a_userid_is_one_members_in_any_case_of_its_letters(wecom: WeCom) -> None:
    anna, ben = await member(wecom), await wecom.sandbox.create_user("Ben")
    assert "another member" in (await wecom.post("enroll", user=ben.id, userid="zhangsan", status=409))["error"]
    await wecom.post("enroll", user=ben.id, userid="zhangsan", corp=OTHER_CORP.corpid)
    await wecom.post("enroll", user=anna.id, userid="ZHANGSAN")
    for userid in (".dot", "a b", "x" * 65, "张三"):
        await wecom.post("enroll", user=ben.id, userid=userid, status=409)
    assert (await wecom.post("enroll", user=ben.id))["userid"].startswith("Ben.")
    await wecom.post("enroll", user=ben.id, corp="wwnone", status=404)
