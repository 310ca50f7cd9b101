"""Redirect tickets in a real Valkey: the first browser owns each way, and only who came back is bound.

Red when a second browser takes over, when a way that was released stays owned, or one releases another's.
"""

import asyncio
from datetime import timedelta

import pytest
from decided import ANNA, NOW
from moments import soon
from redis.asyncio import Redis

from models.language import Lang
from models.method import Method
from models.scene import Kind, TicketHeader
from models.ticket import TicketId
from models.web_authorization import Redirect, ReturnTo, UnusableAuthorization, Way
from service.storage.records import RecordStore
from service.tickets.redirects import PREFIX, Redirects

BACK = ReturnTo("https://shop.example/done", "s")


@pytest.fixture
def head() -> TicketHeader:
    return TicketHeader(TicketId("t1"), Method.WEBSITE, Kind.BIND_KEPT, Lang.ZH, soon())


@pytest.fixture
def redirects(redis: Redis) -> Redirects:
    return Redirects(RecordStore(redis, PREFIX, Redirect))


async def test_of_many_browsers_one_owns_the_way(redirects: Redirects, head: TicketHeader) -> None:
    await redirects.add(head, "site", BACK, None)
    browsers = [f"b{number}" for number in range(8)]
    claims = await asyncio.gather(
        *(redirects.claim(head, Way.REDIRECT, browser) for browser in browsers), return_exceptions=True
    )
    (won,) = [claim for claim in claims if not isinstance(claim, BaseException)]
    assert {type(claim) for claim in claims if claim is not won} == {UnusableAuthorization}
    assert await redirects.claim(head, Way.REDIRECT, won.owners[Way.REDIRECT]) == won
    assert (await redirects.claim(head, Way.PANEL, "another")).owners[Way.PANEL] == "another"


async def test_a_released_way_goes_to_the_next_browser(redirects: Redirects, head: TicketHeader) -> None:
    await redirects.add(head, "site", BACK, None)
    await redirects.claim(head, Way.PANEL, "panel")
    await redirects.claim(head, Way.REDIRECT, "first")
    await redirects.release(head, Way.REDIRECT, "first")
    claimed = await redirects.claim(head, Way.REDIRECT, "second")
    assert claimed.owners == {Way.PANEL: "panel", Way.REDIRECT: "second"}
    await redirects.release(head, Way.REDIRECT, "first")
    with pytest.raises(UnusableAuthorization):
        await redirects.claim(head, Way.REDIRECT, "third")


async def test_without_a_record_nothing_can_be_done(redirects: Redirects, head: TicketHeader) -> None:
    assert await redirects.of(head) is None
    for doing in (
        redirects.claim(head, Way.REDIRECT, "b"),
        redirects.release(head, Way.REDIRECT, "b"),
        redirects.returned(head, ANNA, now=NOW),
    ):
        with pytest.raises(UnusableAuthorization):
            await doing


async def test_the_last_return_counts(redirects: Redirects, head: TicketHeader) -> None:
    await redirects.add(head, "site", BACK, None)
    for later in (0, 1):
        await redirects.returned(head, ANNA, now=NOW + timedelta(seconds=later))
    held = await redirects.of(head)
    assert held
    assert (held.openid, held.returned_at) == (ANNA, NOW + timedelta(seconds=1))
