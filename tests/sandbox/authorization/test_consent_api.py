"""The control API of web authorization: a whole login without a browser, and faults.

Red when a second person can answer a scanned login.
"""

from typing import Any

import pytest
from aiohttp import ServerDisconnectedError
from authorizing import SITE, WeChat, answered


async def listed(wechat: WeChat, name: str = "consents", **query: str) -> list[dict[str, Any]]:
    async with wechat.client.get(f"/sandbox/api/{name}", params=query) as response:
        assert response.status == 200
        return list((await response.json())[name])


async def test_a_login_is_listed_scanned_allowed_and_exchanged(wechat: WeChat) -> None:
    anna = await wechat.anna()
    consent = await wechat.login()
    assert [one["id"] for one in await listed(wechat, appid=SITE.appid)] == [consent]
    assert await listed(wechat, appid="wxother") == []
    (shown,) = await listed(wechat)
    assert (shown["name"], shown["scope"], shown["state"], shown["user"]) == (
        SITE.name,
        "snsapi_login",
        "waiting",
        None,
    )
    assert shown["expires_at"] == shown["created_at"] + 300
    scanned = await wechat.post("scan_consent", user=anna.id, consent=shown["url"])
    assert (scanned["state"], scanned["user"], scanned["address"]) == ("scanned", anna.id, None)
    allowed = await wechat.post("allow", user=anna.id, consent=consent)
    assert allowed["state"] == "allowed"
    assert "openid" in await wechat.exchange(answered(allowed["address"])["code"])
    assert await listed(wechat) == []


async def test_a_refusal_is_told_without_an_address(wechat: WeChat) -> None:
    anna, consent = await wechat.anna(), await wechat.login()
    refused = await wechat.post("refuse", user=anna.id, consent=consent)
    assert (refused["state"], refused["address"]) == ("refused", None)


async def test_only_the_first_to_scan_answers_and_only_once_and_in_time(wechat: WeChat) -> None:
    anna, ben, consent = await wechat.anna(), await wechat.sandbox.create_user("Ben"), await wechat.login()
    await wechat.post("scan_consent", user=anna.id, consent=consent)
    for name in ("scan_consent", "allow", "refuse"):
        assert "another user" in (await wechat.post(name, user=ben.id, consent=consent, status=409))["error"]
    await wechat.post("allow", user=anna.id, consent=consent)
    await wechat.post("refuse", user=anna.id, consent=consent, status=409)
    late = await wechat.login()
    wechat.clock.now += 300
    await wechat.post("allow", user=anna.id, consent=late, status=409)
    await wechat.post("allow", user=anna.id, consent="none", status=404)
    await wechat.post("allow", user="u_none", consent=late, status=404)


async def test_the_oldest_consents_are_forgotten(wechat: WeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.authorization.consents.KEPT", 2)
    monkeypatch.setattr("sandbox.authorization.grants.KEPT", 2)
    first, *_ = [await wechat.login() for _ in range(3)]
    assert len(await listed(wechat)) == 2
    anna = await wechat.anna()
    await wechat.post("allow", user=anna.id, consent=first, status=404)
    code, *_ = [await wechat.code(anna) for _ in range(3)]
    assert (await wechat.exchange(code))["errcode"] == 40029
    token, *_ = [await wechat.exchange(await wechat.code(anna)) for _ in range(3)]
    asked = {"access_token": token["access_token"], "openid": token["openid"]}
    assert (await wechat.sns("auth", **asked))["errcode"] == 40001


async def test_websites_are_listed_without_their_secrets(wechat: WeChat) -> None:
    assert [list(one) for one in await listed(wechat, "websites")] == 2 * [
        ["appid", "name", "domain", "open_platform"]
    ]


async def test_what_is_switched_on_is_told(wechat: WeChat) -> None:
    anna, ben = await wechat.anna(), await wechat.sandbox.create_user("Ben")

    async def told(user: str) -> Any:
        return await (await wechat.client.get("/sandbox/api/authorization", params={"user": user})).json()

    assert await told(anna.id) == {"picture_fault": None, "snapshots": False, "sns_fault": None}
    on = {"picture_fault": "svg", "snapshots": True, "sns_fault": None}
    await wechat.post("picture_fault", user=anna.id, fault="svg")
    assert await wechat.post("snapshots", user=anna.id) == on
    await wechat.post("sns_fault", fault="busy")
    assert await told(anna.id) == on | {"sns_fault": "busy"}
    assert await told(ben.id) == {"picture_fault": None, "snapshots": False, "sns_fault": "busy"}
    assert (await wechat.client.get("/sandbox/api/authorization?user=u_none")).status == 404


@pytest.mark.parametrize(("fault", "errcode"), [("busy", -1), ("day_quota", 45009), ("minute_quota", 45011)])
async def test_a_switched_on_refusal_uses_up_no_code(wechat: WeChat, fault: str, errcode: int) -> None:
    code = await wechat.code(await wechat.anna())
    assert await wechat.post("sns_fault", fault=fault) == {"fault": fault}
    assert (await wechat.exchange(code))["errcode"] == errcode
    assert await wechat.post("sns_fault") == {"fault": None}
    assert "openid" in await wechat.exchange(code)


@pytest.mark.parametrize(("fault", "used"), [("away", False), ("cut", True)])
async def test_a_connection_is_closed_before_or_after_the_exchange(wechat: WeChat, fault: str, used: bool) -> None:
    code = await wechat.code(await wechat.anna())
    await wechat.post("sns_fault", fault=fault)
    with pytest.raises(ServerDisconnectedError):
        await wechat.exchange(code)
    await wechat.post("sns_fault")
    assert ("errcode" in await wechat.exchange(code)) == used


async def test_a_slow_answer_comes_late(wechat: WeChat) -> None:
    wechat.authorization.delay = 0.05
    await wechat.post("sns_fault", fault="slow")
    code = await wechat.code(await wechat.anna())
    assert "openid" in await wechat.exchange(code)
    assert "must be one of busy" in (await wechat.post("sns_fault", fault="tired", status=400))["error"]


async def test_every_second_answer_is_plain_text(wechat: WeChat) -> None:
    types = [(await wechat.client.get("/sns/auth")).content_type for _ in range(4)]
    assert types == 2 * ["application/json", "text/plain"]
