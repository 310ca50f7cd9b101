"""Actions of people and the pushes that follow from them (wechat-protocol.md 3.3, 9)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sandbox.account import OfficialAccount
from sandbox.emulator import Sandbox
from sandbox.errors import Impossible, Unknown
from sandbox.faults import Fault
from sandbox.push_format import read
from sandbox.pushes import NOISE


def pushed(service: Any) -> dict[str, str]:
    return read(service.seen[-1].body, "xml")


async def a_follower(sandbox: Sandbox) -> Any:
    user = await sandbox.create_user("Anna")
    await sandbox.follow(user, by_search=True)
    return user


async def test_the_accounts_own_code_opens_its_chat_or_lets_people_follow(plain: Sandbox, service: Any) -> None:
    own, user = plain.own_code(), await plain.create_user("Anna")
    assert plain.code(own.url) == own
    assert own not in plain.codes()
    assert (await plain.scan(user, own.url)).outcome == "follow_first"
    await plain.follow(user)
    assert (pushed(service)["Event"], pushed(service)["EventKey"]) == ("subscribe", "")
    assert "Ticket" not in pushed(service)
    before = len(service.seen)
    assert (await plain.scan(user, own.url)).outcome == "opened"
    assert len(service.seen) == before


async def test_a_follower_scans_and_scan_is_pushed(plain: Sandbox, service: Any, show: Callable[..., str]) -> None:
    user = await a_follower(plain)
    scan = await plain.scan(user, show(plain))
    assert scan.outcome == "pushed"
    assert pushed(service) == {
        "ToUserName": "gh_0123456789ab",
        "FromUserName": plain.contact(user).openid,
        "CreateTime": "1700000000",
        "MsgType": "event",
        "Event": "SCAN",
        "EventKey": "bind_x",
        "Ticket": scan.code.ticket,
    }


async def test_a_stranger_must_follow_first_and_then_the_scene_goes_along(
    plain: Sandbox, service: Any, show: Callable[..., str]
) -> None:
    user = await plain.create_user("Anna")
    scan = await plain.scan(user, show(plain, "qrscene_odd"))
    assert (scan.outcome, scan.delivery, service.seen) == ("follow_first", None, [])
    await plain.follow(user)
    assert pushed(service)["Event"] == "subscribe"
    assert pushed(service)["EventKey"] == "qrscene_qrscene_odd"
    assert pushed(service)["Ticket"] == scan.code.ticket
    assert plain.contact(user).pending is None


@pytest.mark.parametrize("forgets", ["search", "dismiss"])
async def test_following_otherwise_carries_no_scene(
    plain: Sandbox, service: Any, show: Callable[..., str], forgets: str
) -> None:
    user = await plain.create_user("Anna")
    await plain.scan(user, show(plain))
    if forgets == "dismiss":
        plain.dismiss(user)
    await plain.follow(user, by_search=forgets == "search")
    assert pushed(service)["EventKey"] == ""
    assert "Ticket" not in pushed(service)


async def test_an_expired_code_pushes_nothing(
    plain: Sandbox, service: Any, clock: Any, show: Callable[..., str]
) -> None:
    user = await a_follower(plain)
    code = show(plain, seconds=60)
    clock.now += 60
    assert (await plain.scan(user, code)).outcome == "expired"
    assert len(service.seen) == 1


async def test_a_code_can_be_scanned_again_and_by_other_users(
    plain: Sandbox, service: Any, show: Callable[..., str]
) -> None:
    code = show(plain)
    for user in (await a_follower(plain), await a_follower(plain)):
        for _ in range(2):
            assert (await plain.scan(user, code)).outcome == "pushed"


async def test_unfollowing_is_pushed_and_ends_the_talk(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    await plain.unfollow(user)
    assert (pushed(service)["Event"], pushed(service)["EventKey"]) == ("unsubscribe", "")
    for doing in (plain.say(user, "hi"), plain.unfollow(user), plain.tap(user, "47"), plain.click(user, "K")):
        with pytest.raises(Impossible):
            await doing


async def test_following_twice_is_impossible(plain: Sandbox) -> None:
    user = await a_follower(plain)
    with pytest.raises(Impossible):
        await plain.follow(user)


async def test_each_text_has_its_own_id(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    await plain.say(user, "47")
    first = pushed(service)
    await plain.say(user, "47")
    assert (first["MsgType"], first["Content"]) == ("text", "47")
    assert first["MsgId"] != pushed(service)["MsgId"]
    assert 0 <= int(first["MsgId"]) < 2**63
    assert "bizmsgmenuid" not in first


async def test_a_tapped_link_speaks_and_brings_its_id(plain: Sandbox, service: Any) -> None:
    service.replies('<a href="weixin://bizmsgmenu?msgmenucontent=%E6%98%AF%C2%B7a1&msgmenuid=101">Yes</a>')
    user = await a_follower(plain)
    line = (await plain.chat(user))[-1]
    for name in ("Yes", "是·a1", f"{line.id}.0"):
        await plain.tap(user, name)
        assert (pushed(service)["Content"], pushed(service)["bizmsgmenuid"]) == ("是·a1", "101")
    assert [m.text for m in await plain.chat(user) if m.side == "person"] == ["是·a1"] * 3
    with pytest.raises(Unknown):
        await plain.tap(user, "No")


async def test_a_person_cannot_write_links(plain: Sandbox) -> None:
    user = await a_follower(plain)
    await plain.say(user, '<a href="weixin://bizmsgmenu?msgmenucontent=x">x</a>')
    with pytest.raises(Unknown):
        await plain.tap(user, "x")


@pytest.mark.parametrize("text", ["", "  ", "a\x00b", "\ud800", "x" * 2049])
async def test_what_xml_cannot_carry_cannot_be_said(plain: Sandbox, text: str) -> None:
    user = await a_follower(plain)
    with pytest.raises(Impossible):
        await plain.say(user, text)


async def test_menu_entries_are_pushed(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    await plain.click(user, "MENU_KEY")
    assert (pushed(service)["Event"], pushed(service)["EventKey"]) == ("CLICK", "MENU_KEY")
    await plain.view(user, "https://host/p")
    assert (pushed(service)["Event"], pushed(service)["EventKey"]) == ("VIEW", "https://host/p")
    assert pushed(service)["MenuId"].isdigit()


@pytest.mark.parametrize("kind", NOISE)
async def test_noise_is_pushed_and_changes_nothing_here(plain: Sandbox, service: Any, kind: str) -> None:
    user = await plain.create_user("Anna")
    assert (await plain.noise(user, kind)).state == "answered"
    assert not plain.contact(user).following
    with pytest.raises(Unknown):
        await plain.noise(user, "silence")


async def test_a_forged_follow_makes_no_follower(build: Callable[..., Sandbox], show: Callable[..., str]) -> None:
    async with build() as sandbox:
        user = await sandbox.create_user("Anna")
        await sandbox.scan(user, show(sandbox))
        await sandbox.follow(user, fault=Fault.UNSIGNED)
        assert not sandbox.contact(user).following
        assert sandbox.contact(user).pending


async def test_people_have_another_openid_for_each_account(account: OfficialAccount, service: Any) -> None:
    second = replace(account, appid="wxsecond", callback_url=service.url, mode="plain")
    first = replace(account, callback_url=service.url, mode="plain")
    async with Sandbox([first, second], public_url="http://phone.test") as sandbox:
        user = await sandbox.create_user("Anna")
        openids = {sandbox.contact(user, account=a).openid for a in (account.appid, "wxsecond")}
        assert len(openids) == 2
        assert all(len(openid) == 28 for openid in openids)
        code = sandbox.state("wxsecond").codes.create(
            b'{"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":7}}}',
            public_url="",
            now=sandbox.clock(),
        )
        assert (await sandbox.scan(user, code)).outcome == "follow_first"
        await sandbox.follow(user)
        assert sandbox.contact(user, account="wxsecond").following
        assert not sandbox.contact(user).following


async def test_unknown_things_are_unknown(plain: Sandbox) -> None:
    user = await plain.create_user("Anna")
    for doing in (plain.scan(user, "02nothing"), plain.follow("u_nobody"), plain.follow(user, account="wxnone")):
        with pytest.raises(Unknown):
            await doing


async def test_nothing_is_pushed_before_the_sandbox_is_entered(build: Callable[..., Sandbox]) -> None:
    sandbox = build()
    user = await sandbox.create_user("Anna")
    with pytest.raises(RuntimeError, match="enter the sandbox"):
        await sandbox.follow(user)
