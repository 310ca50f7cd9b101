"""The `sns` calls: codes, tokens and what an app learns of a person (wechat-protocol.md 5, 6).

Red when `Grants.exchange` no longer checks that a code is unused, in time and of the app that asks, or when
`WebAuthorization.exchange` tells a unionid under snsapi_base.
"""

from typing import Any

import pytest
from authorizing import OTHER, SITE, WeChat


def errcode(answer: dict[str, Any]) -> int:
    assert list(answer) == ["errcode", "errmsg"]
    assert " rid: " in answer["errmsg"]
    return int(answer["errcode"])


async def test_a_website_learns_openid_and_unionid(wechat: WeChat) -> None:
    anna = await wechat.anna()
    told = await wechat.exchange(await wechat.code(anna))
    names = ["access_token", "expires_in", "refresh_token", "openid", "scope", "unionid"]
    assert list(told) == names
    assert (told["expires_in"], told["scope"]) == (7200, "snsapi_login")
    assert told["openid"] == anna.openid(SITE.appid)
    assert told["unionid"] == anna.unionid("acme")


async def test_each_app_has_an_openid_of_its_own_and_all_of_one_platform_one_unionid(wechat: WeChat) -> None:
    anna = await wechat.anna()
    told = [
        await wechat.exchange(await wechat.code(anna)),
        await wechat.exchange(await wechat.code(anna, appid=OTHER.appid), OTHER),
        await wechat.exchange(await wechat.inside(anna, "snsapi_userinfo"), wechat.account),
    ]
    assert len({one["openid"] for one in told}) == 3
    assert len({one["unionid"] for one in told}) == 1


@pytest.mark.parametrize(("scope", "tells"), [("snsapi_base", False), ("snsapi_userinfo", True)])
async def test_an_account_learns_the_unionid_under_userinfo_alone(wechat: WeChat, scope: str, tells: bool) -> None:
    told = await wechat.exchange(await wechat.inside(await wechat.anna(), scope), wechat.account)
    assert ("unionid" in told, told["scope"]) == (tells, scope)


async def test_an_app_without_an_open_platform_account_learns_no_unionid(wechat: WeChat) -> None:
    assert (await wechat.post("move_website", website=SITE.appid))["open_platform"] is None
    assert "unionid" not in await wechat.exchange(await wechat.code(await wechat.anna()))


async def test_an_app_that_moves_learns_another_unionid_and_the_same_openid(wechat: WeChat) -> None:
    anna = await wechat.anna()
    before = await wechat.exchange(await wechat.code(anna))
    await wechat.post("move_website", website=SITE.appid, open_platform="other")
    after = await wechat.exchange(await wechat.code(anna))
    assert (after["openid"], after["unionid"]) == (before["openid"], anna.unionid("other"))
    await wechat.post("move_website", website="wxnone", status=404)


async def test_a_code_works_once(wechat: WeChat) -> None:
    code = await wechat.code(await wechat.anna())
    assert "openid" in await wechat.exchange(code)
    assert errcode(await wechat.exchange(code)) == 40163


async def test_a_code_works_for_its_own_app_alone_and_stays_usable(wechat: WeChat) -> None:
    code = await wechat.code(await wechat.anna())
    assert errcode(await wechat.exchange(code, OTHER)) == 40029
    assert errcode(await wechat.exchange(code, wechat.account)) == 40029
    assert "openid" in await wechat.exchange(code)


@pytest.mark.parametrize("inside", [False, True])
async def test_a_code_expires_after_ten_minutes_and_after_five_inside_wechat(wechat: WeChat, inside: bool) -> None:
    anna, lifetime = await wechat.anna(), 300 if inside else 600
    app = wechat.account if inside else SITE
    make = wechat.inside if inside else wechat.code
    in_time, late = await make(anna), await make(anna)
    wechat.clock.now += lifetime - 1
    assert "openid" in await wechat.exchange(in_time, app)
    wechat.clock.now += 1
    assert errcode(await wechat.exchange(late, app)) == 42003


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"secret": "0" * 32}, 40125),
        ({"appid": "wxnone"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"code": ""}, 41008),
        ({"code": "invented"}, 40029),
        ({"grant_type": "refresh_token"}, 40002),
    ],
)
async def test_a_wrong_exchange_is_refused_and_uses_up_nothing(
    wechat: WeChat, changes: dict[str, str], expected: int
) -> None:
    code = await wechat.code(await wechat.anna())
    assert errcode(await wechat.exchange(code, **changes)) == expected
    assert "openid" in await wechat.exchange(code)


async def test_userinfo_tells_name_and_picture(wechat: WeChat) -> None:
    anna = await wechat.anna()
    token = await wechat.exchange(await wechat.code(anna))
    asked = {"access_token": token["access_token"], "openid": token["openid"]}
    told = await wechat.sns("userinfo", **asked, lang="en")
    assert (told["nickname"], told["sex"], told["privilege"]) == ("Anna", 0, [])
    assert (told["openid"], told["unionid"]) == (token["openid"], token["unionid"])
    assert anna.id not in told["headimgurl"]
    assert told["headimgurl"].startswith(str(wechat.client.make_url("/mmopen/")))
    picture = await wechat.client.get(told["headimgurl"].removeprefix(str(wechat.client.make_url("/"))[:-1]))
    assert (picture.content_type, (await picture.read())[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")


async def test_userinfo_is_refused_under_base(wechat: WeChat) -> None:
    token = await wechat.exchange(await wechat.inside(await wechat.anna()), wechat.account)
    asked = {"access_token": token["access_token"], "openid": token["openid"]}
    assert errcode(await wechat.sns("userinfo", **asked)) == 48001
    assert await wechat.sns("auth", **asked) == {"errcode": 0, "errmsg": "ok"}


@pytest.mark.parametrize("call", ["auth", "userinfo"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"access_token": ""}, 41001),
        ({"access_token": "invented"}, 40001),
        ({"openid": ""}, 41009),
        ({"openid": "oOther"}, 40003),
    ],
)
async def test_a_token_works_for_its_own_openid(
    wechat: WeChat, call: str, changes: dict[str, str], expected: int
) -> None:
    token = await wechat.exchange(await wechat.code(await wechat.anna()))
    asked = {"access_token": token["access_token"], "openid": token["openid"]}
    assert errcode(await wechat.sns(call, **(asked | changes))) == expected


async def test_refreshing_extends_a_token_and_replaces_an_expired_one(wechat: WeChat) -> None:
    token = await wechat.exchange(await wechat.code(await wechat.anna()))
    asked = {"appid": SITE.appid, "grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
    wechat.clock.now += 7000
    extended = await wechat.sns("oauth2/refresh_token", **asked)
    assert extended == {name: value for name, value in token.items() if name != "unionid"}
    wechat.clock.now += 7200
    old = {"access_token": token["access_token"], "openid": token["openid"]}
    assert errcode(await wechat.sns("auth", **old)) == 42001
    assert (await wechat.sns("oauth2/refresh_token", **asked))["access_token"] != token["access_token"]
    wechat.clock.now += 30 * 86_400
    assert errcode(await wechat.sns("oauth2/refresh_token", **asked)) == 42002
    for changes, expected in (
        ({"refresh_token": "invented"}, 40030),
        ({"appid": OTHER.appid}, 40030),
        ({"refresh_token": ""}, 41003),
        ({"grant_type": "authorization_code"}, 40002),
    ):
        assert errcode(await wechat.sns("oauth2/refresh_token", **(asked | changes))) == expected


async def test_a_snapshot_page_tells_a_virtual_person(wechat: WeChat) -> None:
    anna = await wechat.anna()
    await wechat.post("snapshots", user=anna.id)
    response = await wechat.get("oauth2/authorize", anna, scope="snsapi_userinfo")
    assert response.status == 302, "a snapshot page asks nothing"
    told = await wechat.exchange(await wechat.inside(anna, "snsapi_userinfo"), wechat.account)
    assert told["is_snapshotuser"] == 1
    assert told["openid"] != anna.openid(wechat.account.appid)
    assert told["unionid"] != anna.unionid("acme")
    asked = {"access_token": told["access_token"], "openid": told["openid"]}
    assert (await wechat.sns("userinfo", **asked))["nickname"] == "微信用户"
    assert "is_snapshotuser" not in await wechat.exchange(await wechat.code(anna))
    await wechat.post("snapshots", user=anna.id, on=False)
    told = await wechat.exchange(await wechat.inside(anna), wechat.account)
    assert (told["openid"], "is_snapshotuser" in told) == (anna.openid(wechat.account.appid), False)


async def test_user_info_knows_the_openid_of_a_page(wechat: WeChat) -> None:
    told = await wechat.exchange(await wechat.inside(await wechat.anna()), wechat.account)
    state = wechat.sandbox.state()
    assert state.user_info(told["openid"], now=wechat.clock())["subscribe"] == 0
