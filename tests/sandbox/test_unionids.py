"""Unionids in each Open Platform account: the control API and user/info (wechat-protocol.md 4, 6).

Red when `UnionIds.of` ignores the Open Platform account, or which unionids are withheld or changed.
"""

import re
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from sandbox.account import OfficialAccount, default_account
from sandbox.app import SANDBOX, make_app

BOUND = {"wxmain": "acme", "wxsecond": "acme", "wxother": "other", "wxalone": None}


class Phone:
    """The control API, and user/info as each account sees it."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.sandbox = client, client.app[SANDBOX]

    async def post(self, name: str, *, status: int = 200, **body: object) -> Any:
        async with self.client.post(f"/sandbox/api/{name}", json=body) as response:
            assert response.status == status, await response.text()
            return await response.json()

    async def person(self, **about: object) -> str:
        """Create a user who follows all accounts."""
        user = (await self.post("users", nickname="Anna", **about))["id"]
        for appid in BOUND:
            await self.post("follow", user=user, account=appid, by_search=True)
        return str(user)

    async def seen(self, user: str, appid: str = "wxmain") -> dict[str, Any]:
        state = self.sandbox.state(appid)
        asked = {"grant_type": "client_credential", "appid": appid, "secret": state.account.secret}
        async with self.client.post("/cgi-bin/stable_token", json=asked) as response:
            token = (await response.json())["access_token"]
        query = {"access_token": token, "openid": self.sandbox.contact(user, account=appid).openid}
        async with self.client.get("/cgi-bin/user/info", params=query) as response:
            return dict(await response.json())

    async def unionid(self, user: str, appid: str = "wxmain") -> str | None:
        """Return the unionid in user/info, None without the key; the control API must tell the same."""
        found = (await self.seen(user, appid)).get("unionid")
        async with self.client.get("/sandbox/api/phone", params={"user": user, "account": appid}) as response:
            assert (await response.json())["unionid"] == found
        return found


@pytest.fixture
async def phone(aiohttp_client: Any, account: OfficialAccount, service: Any) -> Phone:
    like = replace(account, callback_url=service.url, mode="plain")
    accounts = [replace(like, appid=appid, open_platform=word) for appid, word in BOUND.items()]
    return Phone(await aiohttp_client(make_app(accounts, public_url="http://phone.test")))


async def test_each_open_platform_account_has_a_unionid_of_its_own_for_each_person(phone: Phone) -> None:
    anna, ben = await phone.person(), await phone.person()
    of_anna, of_ben = [[await phone.unionid(one, appid) for appid in BOUND] for one in (anna, ben)]
    assert of_anna[0] == of_anna[1]
    assert of_anna[3] is of_ben[3] is None
    told = {*of_anna[:3], *of_ben[:3]}
    assert len(told) == 4
    assert all(re.fullmatch(r"o[\w-]{27}", str(one)) for one in told)
    assert told.isdisjoint({(await phone.seen(anna, appid))["openid"] for appid in BOUND})


async def test_a_given_unionid_is_that_of_the_accounts_open_platform_account(phone: Phone) -> None:
    anna = await phone.person(unionid="u-1", account="wxother")
    assert await phone.unionid(anna, "wxother") == "u-1"
    assert await phone.unionid(anna) not in ("u-1", None)


async def test_a_unionid_is_withheld_and_appears_later(phone: Phone) -> None:
    anna, ben = await phone.person(), await phone.person()
    before = await phone.unionid(anna)
    assert await phone.post("withhold_unionid", user=anna, account="wxsecond") == {"unionid": None}
    assert [await phone.unionid(anna, appid) for appid in ("wxmain", "wxsecond")] == [None, None]
    assert await phone.unionid(anna, "wxother")
    assert await phone.unionid(ben)
    assert await phone.post("disclose_unionid", user=anna) == {"unionid": before}
    assert await phone.unionid(anna) == before


async def test_a_unionid_that_changes_while_it_is_withheld_appears_changed(phone: Phone) -> None:
    anna = await phone.person()
    await phone.post("withhold_unionid", user=anna)
    assert await phone.post("change_unionid", user=anna, unionid="u-2") == {"unionid": None}
    assert await phone.post("disclose_unionid", user=anna) == {"unionid": "u-2"}


@pytest.mark.parametrize("given", [{}, {"unionid": "u-2"}])
async def test_a_unionid_changes_and_the_openid_stays(phone: Phone, given: dict[str, str]) -> None:
    anna = await phone.person()
    before, elsewhere = await phone.seen(anna), await phone.unionid(anna, "wxother")
    changed = (await phone.post("change_unionid", user=anna, **given))["unionid"]
    assert changed != before["unionid"]
    assert given.get("unionid") in (changed, None)
    assert re.fullmatch(r"u-2|o[\w-]{27}", changed)
    assert await phone.seen(anna) == {**before, "unionid": changed}
    assert await phone.unionid(anna, "wxsecond") == changed
    assert await phone.unionid(anna, "wxother") == elsewhere


async def test_an_account_moves_to_another_open_platform_account_and_leaves_it(phone: Phone) -> None:
    anna = await phone.person()
    openid = (await phone.seen(anna))["openid"]
    assert (await phone.post("bind_open_platform", open_platform="other"))["open_platform"] == "other"
    main, second, other = [await phone.unionid(anna, appid) for appid in ("wxmain", "wxsecond", "wxother")]
    assert main == other != second
    assert (await phone.post("unbind_open_platform"))["open_platform"] is None
    assert await phone.unionid(anna) is None
    assert (await phone.seen(anna))["openid"] == openid


@pytest.mark.parametrize(
    ("name", "body", "status", "error"),
    [
        ("bind_open_platform", {}, 400, "open_platform: is required"),
        ("bind_open_platform", {"open_platform": ""}, 409, "open_platform: must have 1 to 64 visible"),
        ("bind_open_platform", {"open_platform": "acme", "account": "wxnone"}, 404, "no account 'wxnone'"),
        ("unbind_open_platform", {"account": "wxnone"}, 404, "no account 'wxnone'"),
        ("users", {"nickname": "Ben", "unionid": "u 1"}, 409, "unionid: must have 1 to 64 visible"),
        ("users", {"nickname": "Ben", "unionid": "u-1", "account": "wxalone"}, 409, "bound to no Open Platform"),
        ("withhold_unionid", {"user": "u_none"}, 404, "no WeChat user 'u_none'"),
        ("withhold_unionid", {"user": "ANNA", "account": "wxalone"}, 409, "bound to no Open Platform"),
        ("disclose_unionid", {"user": "ANNA", "account": "wxalone"}, 409, "bound to no Open Platform"),
        ("change_unionid", {"user": "ANNA", "account": "wxalone"}, 409, "bound to no Open Platform"),
        ("change_unionid", {"user": "ANNA", "unionid": ""}, 409, "unionid: must have 1 to 64"),
    ],
)
async def test_what_has_no_unionid_is_refused_with_the_reason(
    phone: Phone, name: str, body: dict[str, str], status: int, error: str
) -> None:
    anna = await phone.person()
    asked = {key: anna if value == "ANNA" else value for key, value in body.items()}
    assert error in (await phone.post(name, status=status, **asked))["error"]
    assert len(phone.sandbox.people.all()) == 1


def test_the_default_account_is_bound_so_that_the_demo_has_unionids() -> None:
    assert default_account("http://a.test").open_platform
