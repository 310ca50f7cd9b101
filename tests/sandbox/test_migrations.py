"""Migration of an account, and changeopenid (wechat-protocol.md 8).

Red when `Migrations.translate` ignores the window, the former account, the number of openids or who followed.
"""

from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from sandbox.account import OfficialAccount
from sandbox.app import SANDBOX, make_app
from sandbox.migrations import WINDOW

OLD, NEW = "wxold", "wxnew"


class Wechat:
    """The control API, and changeopenid of the new account."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.sandbox = client, client.app[SANDBOX]

    async def declare(self, former: str = OLD, account: str = NEW, *, status: int = 200) -> Any:
        body = {"from": former, "account": account}
        async with self.client.post("/sandbox/api/migrate", json=body) as response:
            assert response.status == status
            return await response.json()

    async def follower(self, *, following: bool = True) -> tuple[str, str]:
        """Create a person; return their openids at the former and at the new account."""
        person = await self.sandbox.create_user("Anna")
        if following:
            await self.sandbox.follow(person, account=OLD, by_search=True)
        return person.openid(OLD), person.openid(NEW)

    async def change(self, *openids: str, former: str = "gh_old", by: str = NEW) -> Any:
        secret = self.sandbox.state(by).account.secret
        asked = {"grant_type": "client_credential", "appid": by, "secret": secret}
        async with self.client.post("/cgi-bin/stable_token", json=asked) as response:
            query = {"access_token": (await response.json())["access_token"]}
        body = {"from_appid": former, "openid_list": openids}
        async with self.client.post("/cgi-bin/changeopenid", json=body, params=query) as response:
            assert response.status == 200
            return await response.json()


@pytest.fixture
async def wechat(aiohttp_client: Any, account: OfficialAccount, service: Any, clock: Any) -> Wechat:
    like = replace(account, callback_url=service.url, mode="plain")
    accounts = [
        replace(like, appid=OLD, gh_id="gh_old"),
        replace(like, appid=NEW, gh_id="gh_new", daily_openid_changes=3),
    ]
    return Wechat(await aiohttp_client(make_app(accounts, public_url="http://phone.test", clock=clock)))


async def test_followers_alone_get_new_openids_and_follow_the_new_account(wechat: Wechat) -> None:
    anna, ben = await wechat.follower(), await wechat.follower(following=False)
    assert await wechat.declare() == {"followers": 1}
    told = await wechat.change(anna[0], ben[0])
    assert told["result_list"] == [
        {"ori_openid": anna[0], "new_openid": anna[1], "err_msg": "ok"},
        {"ori_openid": ben[0], "err_msg": "ori_openid error"},
    ]
    new = wechat.sandbox.state(NEW).user_info(anna[1], now=wechat.sandbox.clock())
    assert (new["subscribe"], new["subscribe_scene"]) == (1, "ADD_SCENE_ACCOUNT_MIGRATION")
    assert wechat.sandbox.state(OLD).user_info(anna[0], now=wechat.sandbox.clock())["subscribe"] == 0


async def test_another_former_account_or_account_is_refused(wechat: Wechat) -> None:
    anna, _ = await wechat.follower()
    assert (await wechat.change(anna))["errcode"] == 63178
    await wechat.declare()
    assert (await wechat.change(anna, former=OLD))["errcode"] == 63178
    assert (await wechat.change(anna, by=OLD))["errcode"] == 63178
    assert "error" in await wechat.declare(NEW, status=409)
    assert "error" in await wechat.declare("wxnobody", status=404)


@pytest.mark.parametrize("named", ["gh_id", "appid"])
async def test_an_account_takes_the_original_id_or_the_appid(
    aiohttp_client: Any, account: OfficialAccount, service: Any, named: Any
) -> None:
    like = replace(account, callback_url=service.url, mode="plain", former_named_by=named)
    accounts = [replace(like, appid=OLD, gh_id="gh_old"), replace(like, appid=NEW, gh_id="gh_new")]
    wechat = Wechat(await aiohttp_client(make_app(accounts, public_url="http://phone.test")))
    anna, _ = await wechat.follower()
    await wechat.declare()
    for name, former in (("gh_id", "gh_old"), ("appid", OLD)):
        assert ("result_list" in await wechat.change(anna, former=former)) == (named == name)


async def test_the_mapping_is_lost_after_fifteen_days(wechat: Wechat, clock: Any) -> None:
    anna, _ = await wechat.follower()
    await wechat.declare()
    clock.now += WINDOW - 1
    assert "result_list" in await wechat.change(anna)
    clock.now += 1
    assert (await wechat.change(anna))["errcode"] == 63178


async def test_more_than_a_hundred_openids_and_more_calls_than_a_day_allows_are_refused(wechat: Wechat) -> None:
    await wechat.declare()
    assert (await wechat.change(*map(str, range(101))))["errcode"] == 40003
    assert len((await wechat.change(*map(str, range(100))))["result_list"]) == 100
    assert "result_list" in await wechat.change()
    assert (await wechat.change("o"))["errcode"] == 45009
