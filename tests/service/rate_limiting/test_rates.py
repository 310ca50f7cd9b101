"""Rate limits: what is counted, for which subject, and `Retry-After`.

Covers: service.rate_limiting.build.
"""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from models.binding import UserId
from models.errors import RateLimited, StoreUnavailable
from models.events import OpenId, pseudonym
from models.ticket import TicketId
from service.config import settings
from service.rate_limiting.rates import Excess, Limit, RateLimits

Make = Callable[..., RateLimits]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stand still at the 20th second of some minute, or where a test goes from there."""
    base = (int(time.time()) // 60 + 1) * 60 + 20

    def go(seconds: float) -> None:
        monkeypatch.setattr("service.rate_limiting.rates.time", SimpleNamespace(time=lambda: base + seconds))

    go(0)
    return go


@pytest.fixture
def limits(redis: Redis, clock: Callable[[float], None]) -> Make:
    return lambda **some: RateLimits(redis, allowed(**some))


def allowed(*, per_address: int = 0, per_client: int = 0, **others: int) -> settings.Limits:
    """Return limits that count nothing but what is named."""
    named = {"tickets_per_address": per_address, "tickets_per_client": per_client, **others}
    return settings.Limits(**dict.fromkeys(Limit, 0) | named)


async def starts(limits: RateLimits, count: int, *, client: str = "shop", address: str = "203.0.113.7") -> int:
    """Start *count* logins; return how many were allowed."""
    allowed = 0
    for _ in range(count):
        try:
            await limits.page_starts(client=client, address=address)
        except RateLimited:
            continue
        allowed += 1
    return allowed


async def test_no_limit_is_no_limit(limits: Make, redis: Redis) -> None:
    assert await starts(limits(), 50) == 50
    assert await redis.keys("scanbind:l:*") == []


async def test_an_address_has_its_share(limits: Make) -> None:
    mine = limits(per_address=3)
    assert await starts(mine, 5) == 3
    assert await starts(mine, 5, address="203.0.113.8") == 3


async def test_a_client_has_its_share_from_all_addresses(limits: Make) -> None:
    mine = limits(per_client=3)
    assert await starts(mine, 2) == 2
    assert await starts(mine, 2, address="203.0.113.8") == 1
    assert await starts(mine, 5, client="club") == 3


async def test_requests_over_a_limit_do_not_count_against_others(limits: Make) -> None:
    """What one address is refused does not count against the client it asked for.

    Red when the script of `_take` goes on after a count that is over its limit.
    """
    mine = limits(per_address=2, per_client=4)
    assert await starts(mine, 10) == 2
    assert await starts(mine, 10, address="203.0.113.8") == 2


async def test_the_refusal_says_when_the_next_minute_begins(limits: Make) -> None:
    mine = limits(per_address=1)
    await starts(mine, 1)
    with pytest.raises(RateLimited) as refused:
        await mine.page_starts(client="shop", address="203.0.113.7")
    assert refused.value.retry_after == 40


async def test_the_next_minute_begins_anew(limits: Make, clock: Callable[[float], None]) -> None:
    mine = limits(per_address=2)
    assert await starts(mine, 3) == 2
    clock(39)
    assert await starts(mine, 1) == 0
    clock(40)
    assert await starts(mine, 3) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:DB8:1:2:0:0:0:1", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("fe80::1%one", "fe80::1%two", True),
        ("unknown", "unknown", True),
    ],
)
async def test_a_subscriber_counts_as_one(limits: Make, one: str, other: str, same: bool) -> None:
    mine = limits(per_address=1)
    assert await starts(mine, 1, address=one) == 1
    assert await starts(mine, 1, address=other) == (0 if same else 1)


async def test_starts_at_once_are_all_counted(limits: Make) -> None:
    mine = limits(per_address=5)
    told = await asyncio.gather(
        *(mine.page_starts(client="shop", address="203.0.113.7") for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, RateLimited) for one in told) == 15


async def test_counters_vanish_by_themselves(limits: Make, redis: Redis) -> None:
    await starts(limits(per_address=5, per_client=5), 2)
    keys = await redis.keys("scanbind:l:*")
    assert len(keys) == 2
    assert all([0 < await redis.ttl(key) <= 120 for key in keys])


async def test_without_redis_nothing_can_be_counted() -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock", decode_responses=True) as nowhere:
        with pytest.raises(StoreUnavailable):
            await RateLimits(nowhere, allowed(per_address=1)).page_starts(client="shop", address="203.0.113.7")


async def test_a_whole_48_has_sixteen_times_the_limit(limits: Make) -> None:
    mine = limits(per_address=2)
    told = [await starts(mine, 2, address=f"2001:db8:1:{subnet:x}::1") for subnet in range(20)]
    assert told == [2] * 16 + [0] * 4
    assert await starts(mine, 2, address="2001:db8:2::1") == 2


async def test_a_user_of_a_client_has_so_many_fresh_binds(limits: Make) -> None:
    mine = limits(tickets_per_user=2)
    for _ in range(2):
        await mine.fresh_bind("shop", UserId("42"))
    with pytest.raises(RateLimited) as refused:
        await mine.fresh_bind("shop", UserId("42"))
    assert (refused.value.limit, refused.value.retry_after) == ("tickets_per_user", 40)
    await mine.fresh_bind("shop", UserId("43"))
    await mine.fresh_bind("club", UserId("42"))


async def test_the_first_scan_too_many_is_told_from_the_others(limits: Make) -> None:
    mine = limits(scans_per_openid=2, scans_per_ticket=3)
    anna, bert, ticket, other = OpenId("oAnna"), OpenId("oBert"), TicketId("t" * 28), TicketId("u" * 28)
    assert [await mine.scan(anna, None) for _ in range(4)] == [
        None,
        None,
        Excess(Limit.SCANS_PER_OPENID, first=True),
        Excess(Limit.SCANS_PER_OPENID, first=False),
    ]
    assert [await mine.scan(OpenId(f"o{number}"), ticket) for number in range(5)] == [
        None,
        None,
        None,
        Excess(Limit.SCANS_PER_TICKET, first=True),
        Excess(Limit.SCANS_PER_TICKET, first=False),
    ]
    assert await mine.scan(bert, other) is None
    answers = [await mine.scan(OpenId(f"p{number}"), None) for number in range(5)]
    assert answers == [None] * 5, "answers are of no ticket"


@pytest.mark.parametrize("together", [True, False], ids=["one server", "a cluster"])
async def test_scans_over_a_persons_limit_do_not_use_up_those_of_the_qr_code(
    limits: Make, *, together: bool
) -> None:
    """Red when `scan` does not take back what it counted for the ticket, where two scripts count at once."""
    mine, ticket = limits(scans_per_openid=1, scans_per_ticket=2), TicketId("t")
    mine._together = together
    scans = [await mine.scan(OpenId("oAnna"), ticket) for _ in range(5)]
    assert [excess and excess.limit for excess in scans] == [None, *[Limit.SCANS_PER_OPENID] * 4]
    assert await mine.scan(OpenId("oBen"), ticket) is None
    assert await mine.scan(OpenId("oCleo"), ticket) == Excess(Limit.SCANS_PER_TICKET, first=True)


@pytest.mark.parametrize("together", [True, False], ids=["one server", "a cluster"])
async def test_what_is_taken_back_is_what_was_counted(limits: Make, *, together: bool) -> None:
    """Red when `take_back_scan` takes a scan from a ticket for which none was counted, or leaves one."""
    mine, anna, ticket = limits(scans_per_openid=2, scans_per_ticket=2), OpenId("oAnna"), TicketId("t")
    mine._together = together
    assert [await mine.scan(anna, ticket) for _ in range(2)] == [None, None]
    excess = await mine.scan(anna, ticket)
    assert excess == Excess(Limit.SCANS_PER_OPENID, first=True)
    await mine.take_back_scan(anna, ticket, excess)
    assert await mine.scan(OpenId("oBen"), ticket) == Excess(Limit.SCANS_PER_TICKET, first=True)
    for _ in range(3):
        assert await mine.scan(anna, None), "other scans come in between"
    for _ in range(2):
        await mine.take_back_scan(anna, ticket, None)
    assert await mine.scan(OpenId("oCleo"), ticket) is None


async def test_no_counter_names_a_person(limits: Make, redis: Redis) -> None:
    openid = OpenId("oW2Jw5A-canary_0123456789abcd")
    await limits(scans_per_openid=5).scan(openid, None)
    [key] = await redis.keys("scanbind:l:*")
    assert openid not in key
    assert pseudonym(openid) in key


async def test_after_too_many_guesses_an_address_is_refused_until_the_next_minute(
    limits: Make, clock: Callable[[float], None]
) -> None:
    mine, mallory = limits(failures_per_address=3), "203.0.113.66"
    for _ in range(3):
        mine.check_blocked("shop", mallory)
        await mine.record_failure("shop", mallory)
    with pytest.raises(RateLimited) as refused:
        mine.check_blocked("shop", mallory)
    told = refused.value
    assert (told.limit, told.retry_after, told.client) == ("failures_per_address", 40, "shop")
    mine.check_blocked("shop", "203.0.113.7")
    mine.check_blocked("club", mallory)
    clock(40)
    mine.check_blocked("shop", mallory)


async def test_another_process_learns_it_at_its_first_wrong_guess(limits: Make) -> None:
    here, there, mallory = limits(failures_per_address=3), limits(failures_per_address=3), "203.0.113.66"
    for _ in range(3):
        await here.record_failure("shop", mallory)
    there.check_blocked("shop", mallory)
    await there.record_failure("shop", mallory)
    with pytest.raises(RateLimited):
        there.check_blocked("shop", mallory)


async def test_a_client_that_there_is_not_is_never_suspected_and_kept_nowhere(limits: Make, redis: Redis) -> None:
    """Red when `record_failure` counts for None as for a name."""
    mine = limits(failures_per_address=1)
    for _ in range(3):
        await mine.record_failure(None, "203.0.113.66")
        mine.check_blocked(None, "203.0.113.66")
    assert await redis.keys("scanbind:l:*") == []
    assert not mine._suspects


async def test_suspects_are_forgotten_with_their_minute(limits: Make, clock: Callable[[float], None]) -> None:
    mine = limits(failures_per_address=1)
    for number in range(5):
        await mine.record_failure("shop", f"203.0.113.{number}")
    clock(60)
    await mine.record_failure("shop", "203.0.113.9")
    assert mine._suspects.keys() == {(Limit.FAILURES_PER_ADDRESS, "shop", "203.0.113.9")}


async def test_so_many_suspects_are_remembered_and_the_oldest_go_first(
    limits: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_suspect` deletes nothing: a network of many addresses would fill the memory."""
    monkeypatch.setattr("service.rate_limiting.rates._MOST_SUSPECTS", 3)
    mine = limits(failures_per_address=1)
    for number in range(5):
        await mine.record_failure("shop", f"203.0.113.{number}")
    assert [whose for *_, whose in mine._suspects] == ["203.0.113.2", "203.0.113.3", "203.0.113.4"]
    mine.check_blocked("shop", "203.0.113.1")
    await mine.record_failure("shop", "203.0.113.1")
    with pytest.raises(RateLimited):
        mine.check_blocked("shop", "203.0.113.1")


async def test_without_redis_no_scan_and_no_guess_is_refused_for_its_number() -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock", decode_responses=True) as nowhere:
        mine = RateLimits(nowhere, allowed(scans_per_openid=1, failures_per_address=1))
        assert [await mine.scan(OpenId("oAnna"), None) for _ in range(3)] == [None] * 3
        for _ in range(3):
            await mine.record_failure("shop", "203.0.113.66")
        mine.check_blocked("shop", "203.0.113.66")
