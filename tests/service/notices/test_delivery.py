"""A holder of a WeChat is told in its chat what another person may have done (docs/adr/0040).

Red when a notice reaches another person, is sent twice, is written too late as *just now*, or delays webhooks.
Covers: service.notices.build, service.notices.undo.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from harness import World, client
from noticing import known_follower, link, notices, noticing, said, signed_in, signed_up, wake
from portal_client import visit

from models.outbox import State
from sandbox.account_state import AccountState
from sandbox.faults import MessageFault
from sandbox.people import Person
from service.app_keys import METRICS
from service.notices import messages
from service.notices.delivery import NO_ACCOUNT
from service.rate_limiting.notice_limits import PER_MINUTE
from service.webhooks.administration import Deliveries, list_deliveries, replay

Make = Callable[..., Any]
BOUND = "Your WeChat was bound to an account of Example shop just now."


@pytest.fixture
async def town(make: Make) -> World:
    return await noticing(make)


def wechat(world: World) -> AccountState:
    return world.sandbox.state()


async def test_a_bind_that_the_chat_did_not_tell_is_told_there_with_a_link(town: World) -> None:
    person = await known_follower(town)
    await signed_up(town, person)
    assert await notices(town, 1) == [(State.DELIVERED, None, 1)]
    (text,) = await said(town, person)
    assert text.startswith(BOUND)
    assert "disconnect it</a> within ten minutes, and tell Example shop." in text
    assert (await town.call("GET", await link(town, person))).status == 200
    assert 'scanbind_notices_total{client="shop",outcome="delivered"} 1.0' in town.app[METRICS].text().decode()


async def test_a_bind_that_the_chat_has_told_is_not_told_twice(town: World) -> None:
    person = await known_follower(town)
    page = await town.bind("42", method="scan")
    assert "now bound" in str(await town.scan(person, page))
    (await town.site("DELETE", "/v1/bindings/42")).raise_for_status()
    await notices(town, 1)  # of the disconnect alone
    assert [text for text in await said(town, person) if text.startswith("Your WeChat was bound")] == []


async def test_a_person_is_told_in_their_language(make: Make) -> None:
    town = await noticing(make)
    person = await known_follower(town, language="zh_CN")
    await signed_up(town, person)
    await notices(town, 1)
    (text,) = await said(town, person)
    assert text.startswith("你的微信刚刚绑定了“示例商城”的账号。")


async def test_a_wechat_that_moves_to_another_user_is_told(make: Make) -> None:
    town = await noticing(make, takeover="move")
    person = await known_follower(town)
    for user in ("42", "43"):
        await town.scan(person, await town.bind(user, method="scan"))
    await notices(town, 1)
    (text,) = [text for text in await said(town, person) if "was moved to another account" in text]
    assert "<a href=" in text


async def test_the_holder_of_a_replaced_wechat_is_told_and_the_new_one_is_not(make: Make) -> None:
    town = await noticing(make, rebind="replace")
    old, new = await known_follower(town), await known_follower(town)
    for person in (old, new):
        await town.scan(person, await town.bind("42", method="scan"))
    await notices(town, 1)
    assert "was bound to another WeChat just now. Yours was disconnected." in (await said(town, old))[-1]
    assert [text for text in await said(town, new) if "disconnected" in text] == []


async def test_a_disconnect_by_the_site_is_told_without_a_link(town: World) -> None:
    person = await known_follower(town)
    await town.scan(person, await town.bind("42", method="scan"))
    (await town.site("DELETE", "/v1/bindings/42")).raise_for_status()
    await notices(town, 1)
    text = (await said(town, person))[-1]
    assert text.startswith("Example shop disconnected your WeChat from your account just now.")
    assert "<a" not in text


async def test_a_disconnect_in_the_portal_is_told(town: World) -> None:
    person = await known_follower(town)
    await town.scan(person, await town.bind("42", method="scan"))
    assert (await (await visit(town)).call("DELETE", "/bindings/main")).status == 204
    await notices(town, 1)
    assert "in the settings of your Example shop account" in (await said(town, person))[-1]


async def test_a_person_with_several_bindings_is_told_once(town: World) -> None:
    person = await known_follower(town)
    await town.scan(person, await town.bind("42", method="scan"))
    assert (await signed_in(town, person))["outcome"] == "login"
    assert len(await town.bindings("42")) == 2
    (await town.site("DELETE", "/v1/bindings/42")).raise_for_status()
    assert len(await notices(town, 1)) == 1


async def test_a_client_without_notices_tells_nothing(make: Make) -> None:
    town = await noticing(make, others={"club": client("club")})
    person = await known_follower(town)
    await town.scan(person, await town.bind("42", client="club"))
    (await town.site("DELETE", "/v1/bindings/42", client="club")).raise_for_status()
    await signed_up(town, person)
    assert len(await notices(town, 1)) == 1


async def test_an_identity_without_an_account_that_the_person_follows_is_settled_at_once(town: World) -> None:
    stranger = await town.person(following=False, unionid="u-stranger")
    await signed_up(town, stranger)
    assert await notices(town, 1) == [(State.DEAD, NO_ACCOUNT, 1)]


@pytest.mark.parametrize("unfollow", ["erase", "keep"])
async def test_a_person_who_unfollowed_is_not_written_to(make: Make, unfollow: str) -> None:
    """Red when an identity that is kept counts as a follower."""
    town = await noticing(make, unfollow=unfollow)
    person = await known_follower(town)
    await town.sandbox.unfollow(person)
    await signed_up(town, person)
    assert await notices(town, 1) == [(State.DEAD, NO_ACCOUNT, 1)]


async def test_outside_the_window_a_notice_is_dead_and_not_tried_again(town: World) -> None:
    person = await known_follower(town)
    town.clock.advance(61)
    await signed_up(town, person)
    assert await notices(town, 1) == [(State.DEAD, "errcode 45015: outside WeChat's window", 1)]
    assert await said(town, person) == []


async def test_used_up_messages_are_not_tried_again(town: World) -> None:
    person = await known_follower(town)
    for _ in range(3):
        town.sandbox.contact(person).allowance.spend(now=town.clock.seconds())
    await signed_up(town, person)
    ((state, fault, tries),) = await notices(town, 1)
    assert (state, tries) == (State.DEAD, 1)
    assert fault.startswith("errcode 45047")


@pytest.mark.parametrize(
    ("fault", "code"), [(MessageFault.NOT_FOLLOWING, 43004), (MessageFault.NO_PERMISSION, 48001)], ids=str
)
async def test_what_wechat_refuses_is_not_tried_again(town: World, fault: MessageFault, code: int) -> None:
    person = await known_follower(town)
    wechat(town).message_fault = fault
    await signed_up(town, person)
    ((state, told, tries),) = await notices(town, 1)
    assert (state, tries, told.split(":")[0]) == (State.DEAD, 1, f"errcode {code}")


async def test_a_send_without_an_answer_is_not_repeated(town: World) -> None:
    """Red when a person gets one notice twice."""
    person = await known_follower(town)
    wechat(town).message_fault = MessageFault.CUT
    await signed_up(town, person)
    assert await notices(town, 1) == [(State.DEAD, "no answer, it may have been sent", 1)]
    assert len(await said(town, person)) == 1


async def test_a_busy_wechat_is_tried_again_within_the_minute(town: World) -> None:
    person = await known_follower(town)
    await held_up(town, person)
    town.clock.advance(6)
    wake(town)
    assert await notices(town, 1) == [(State.DELIVERED, None, 2)]
    assert len(await said(town, person)) == 1


async def held_up(world: World, person: Person) -> None:
    """Sign up while WeChat is busy: the notice waits, and would be sent at the next try."""
    wechat(world).message_fault = MessageFault.BUSY
    await signed_up(world, person)
    await notices(world, 1, states=[State.PENDING])
    wechat(world).message_fault = None


async def test_a_wechat_that_stays_busy_is_given_up(town: World) -> None:
    person = await known_follower(town)
    await held_up(town, person)
    wechat(town).message_fault = MessageFault.BUSY
    for tries in (2, 3):
        town.clock.advance(16)
        wake(town)
        await notices(town, 1, states=[State.PENDING, State.DEAD], tries=tries)
    assert await notices(town, 1) == [(State.DEAD, "errcode -1: WeChat is busy", 3)]


async def test_a_late_notice_says_when_it_was_and_has_no_link_any_more(town: World) -> None:
    person = await known_follower(town)
    await town.say(person, "hello")
    town.clock.hold()
    await held_up(town, person)
    at = town.clock()
    town.clock.advance(601)
    wake(town)
    await notices(town, 1)
    text = (await said(town, person))[-1]
    assert f" at {messages.moment(at)} (Beijing time)." in text
    assert "just now" not in text
    assert "<a" not in text


async def test_a_notice_of_two_days_ago_is_not_sent(town: World) -> None:
    person = await known_follower(town)
    await held_up(town, person)
    town.clock.advance(48 * 3600 - 10)
    await town.say(person, "hello")
    before = await said(town, person)
    town.clock.advance(20)
    wake(town)
    assert await notices(town, 1) == [(State.DEAD, "older than 48 hours", 2)]
    assert await said(town, person) == before


async def test_a_person_who_was_erased_is_told_nothing(town: World) -> None:
    """Red when what waits for the chat outlives the person."""
    person = await known_follower(town)
    await town.scan(person, await town.bind("42", method="scan"))
    wechat(town).message_fault = MessageFault.BUSY
    (await town.site("DELETE", "/v1/bindings/42")).raise_for_status()
    await notices(town, 1, states=[State.PENDING])
    wechat(town).message_fault = None
    before = await said(town, person)
    await town.sandbox.unfollow(person)
    await town.sandbox.follow(person, by_search=True)
    town.clock.advance(6)
    wake(town)
    await forgotten(town)
    assert await said(town, person) == before


async def forgotten(world: World) -> None:
    """Check that no notice is left, for as long as the sender takes to look."""
    for _ in range(20):
        assert await notices(world, 0, states=list(State), tries=0) == []
        await asyncio.sleep(0.02)


async def test_so_many_changes_are_told_in_a_minute_and_no_more(town: World) -> None:
    person = await known_follower(town)
    await town.say(person, "hello")
    for _ in range(PER_MINUTE + 1):
        await town.scan(person, await town.bind("42", method="scan"))
        (await town.site("DELETE", "/v1/bindings/42")).raise_for_status()
    told = await notices(town, PER_MINUTE + 1)
    assert [state for state, *_ in told] == [State.DELIVERED] * PER_MINUTE + [State.DEAD]
    assert told[-1][1] == "too many notices to this person"


async def test_a_replay_of_webhooks_sends_no_notice_again(town: World) -> None:
    person = await known_follower(town)
    await signed_up(town, person)
    await notices(town, 1)
    since = Deliveries(since=town.clock() - timedelta(hours=1))
    assert await replay(town.settings, since, now=town.clock()) == 0
    assert await list_deliveries(town.settings, since, limit=10) == []
    assert await notices(town, 1) == [(State.DELIVERED, None, 1)]
