"""The limit of waiting requests: a disconnect frees a place, and waiting ones keep theirs."""

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from models.errors import RateLimited
from models.ticket import TicketId
from service.rate_limiting.open_waits import AGAIN, POLLS, STREAMS, WaitLimiter

TICKET, OTHER = TicketId("t" * 28), TicketId("u" * 28)
HERE, THERE = "203.0.113.7", "203.0.113.8"


@dataclass(eq=False)
class Browser:
    task: Any = None
    protocol: object = field(default_factory=object)


def refused(waiting: WaitLimiter, address: str | None, ticket: TicketId = TICKET) -> str:
    """Return the limit that one more stream meets; '' for none."""
    try:
        with waiting.stream(ticket, address, Browser()):
            return ""
    except RateLimited as limited:
        return limited.limit


def test_a_ticket_has_its_streams_and_its_polls() -> None:
    waiting = WaitLimiter(per_address=0, in_all=0)
    with ExitStack() as stack:
        for _ in range(STREAMS):
            stack.enter_context(waiting.stream(TICKET, HERE, Browser()))
        assert refused(waiting, THERE) == "streams_per_ticket"
        assert refused(waiting, HERE, OTHER) == ""
        for _ in range(POLLS):
            stack.enter_context(waiting.poll(TICKET, HERE, Browser()))
        with pytest.raises(RateLimited) as limited:
            waiting.poll(TICKET, HERE, Browser())
        assert (limited.value.limit, limited.value.retry_after) == ("polls_per_ticket", AGAIN)
    assert refused(waiting, HERE) == ""


def test_what_waits_is_counted_by_kind_over_all_tickets() -> None:
    waiting = WaitLimiter(per_address=0, in_all=0)
    with waiting.stream(TICKET, HERE, Browser()), waiting.stream(OTHER, THERE, Browser()):
        with waiting.poll(OTHER, HERE, Browser()):
            assert waiting.taken == {"streams": 2, "polls": 1}
        assert waiting.taken == {"streams": 2, "polls": 0}


def test_an_address_has_its_share_over_all_tickets() -> None:
    waiting = WaitLimiter(per_address=2, in_all=0)
    with waiting.stream(TICKET, HERE, Browser()), waiting.poll(OTHER, HERE, Browser()):
        assert refused(waiting, HERE) == "waiting_per_address"
        assert refused(waiting, THERE) == ""
        assert refused(waiting, None) == "", "an address that is not counted"
    assert refused(waiting, HERE) == ""


def test_an_ipv6_subscriber_is_one() -> None:
    waiting = WaitLimiter(per_address=1, in_all=0)
    with waiting.stream(TICKET, "2001:db8:1:2::1", Browser()):
        assert refused(waiting, "2001:db8:1:2::9") == "waiting_per_address"
        assert refused(waiting, "2001:db8:1:3::1") == ""


def test_the_process_has_so_many_in_all() -> None:
    waiting = WaitLimiter(per_address=0, in_all=2)
    with waiting.stream(TICKET, None, Browser()), waiting.stream(OTHER, HERE, Browser()):
        assert refused(waiting, THERE) == "waiting"
    assert refused(waiting, THERE) == ""


async def test_a_client_that_disconnected_frees_its_place_and_no_other() -> None:
    waiting = WaitLimiter(per_address=2, in_all=2)

    async def wait(browser: Browser) -> None:
        with waiting.poll(TICKET, HERE, browser):
            await asyncio.Event().wait()

    browsers = [Browser(), Browser()]
    for one in browsers:
        one.task = asyncio.create_task(wait(one))
    await asyncio.sleep(0)
    assert refused(waiting, THERE) == "waiting"
    waiting.connection_lost(object())
    waiting.connection_lost(browsers[0].protocol)
    with suppress(asyncio.CancelledError):
        await browsers[0].task
    waiting.connection_lost(browsers[0].protocol)
    assert refused(waiting, HERE) == ""
    assert not browsers[1].task.done()
    browsers[1].task.cancel()


@pytest.mark.parametrize("how", [None, ValueError, KeyboardInterrupt])
def test_a_place_is_free_again_however_it_ended_and_nothing_is_kept(how: type[BaseException] | None) -> None:
    waiting = WaitLimiter(per_address=1, in_all=1)
    try:
        with waiting.stream(TICKET, HERE, Browser()):
            if how:
                raise how
    except (ValueError, KeyboardInterrupt):
        pass
    assert refused(waiting, HERE) == ""
    assert not any(room._taken for room in (waiting._streams, waiting._polls, waiting._addresses))


def test_a_refusal_takes_no_place() -> None:
    waiting = WaitLimiter(per_address=1, in_all=0)
    with waiting.stream(TICKET, HERE, Browser()), ExitStack() as stack:
        for _ in range(STREAMS):
            assert refused(waiting, HERE) == "waiting_per_address"
        for _ in range(STREAMS - 1):
            stack.enter_context(waiting.stream(TICKET, None, Browser()))
        assert refused(waiting, None) == "streams_per_ticket"
