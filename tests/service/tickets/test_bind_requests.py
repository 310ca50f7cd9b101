"""Bind requests of sites, and which of them can still be answered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from models.binding import UserId
from models.tables.columns import to_millisecond
from models.ticket import Ending, Status, TicketId
from service.tickets.bind_requests import BindRequest, BindRequests
from service.tickets.decisions import TicketDecisions

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER = UserId("anna@shop.example 😀")
ONE = BindRequest(
    ticket=TicketId("t1"),
    client="shop",
    account="main",
    user_id=USER,
    session="s1",
    account_name="Änna 😀",
    qr_url="http://weixin.qq.com/q/02abc",
    created_at=NOW,
    expires_at=NOW + timedelta(seconds=600),
)


def _like(ticket: str, **changes: object) -> BindRequest:
    return replace(ONE, ticket=TicketId(ticket), **changes)  # type: ignore[arg-type]  # one helper for every field


async def test_a_request_comes_back_as_it_was_kept(requests: BindRequests) -> None:
    await requests.save(ONE)
    await requests.save(bare := _like("t2", account_name=None, session=""))
    assert await requests.of(ONE.ticket) == ONE
    assert await requests.of(bare.ticket) == bare
    assert await requests.of(TicketId("T1")) is None


async def test_times_are_kept_to_the_millisecond(requests: BindRequests) -> None:
    precise = NOW.replace(microsecond=123456)
    await requests.save(_like("t1", created_at=precise))
    kept = await requests.of(TicketId("t1"))
    assert kept is not None
    assert kept.created_at == to_millisecond(precise)


async def test_the_newest_request_of_a_session_comes_first(requests: BindRequests) -> None:
    for seconds, ticket in ((0, "t1"), (20, "t2"), (10, "t3")):
        await requests.save(_like(ticket, created_at=NOW + timedelta(seconds=seconds)))
    live = await requests.live("shop", USER, "s1", now=NOW)
    assert [it.ticket for it in live] == ["t2", "t3", "t1"]


async def test_other_sessions_users_and_clients_are_not_meant(requests: BindRequests) -> None:
    await requests.save(_like("t1", session=""))
    await requests.save(_like("t2", session="S1"))
    await requests.save(_like("t3", user_id=UserId("other")))
    await requests.save(_like("t4", client="forum"))
    assert await requests.live("shop", USER, "s1", now=NOW) == []
    assert [it.ticket for it in await requests.live("shop", USER, "", now=NOW)] == ["t1"]


async def test_what_expired_or_ended_is_not_live(requests: BindRequests, decisions: TicketDecisions) -> None:
    await requests.save(ONE)
    await requests.save(_like("t2", expires_at=NOW))
    await requests.save(_like("t3"))
    await decisions.close(
        Ending(
            ticket=TicketId("t3"),
            client="shop",
            status=Status.CANCELLED,
            answered_at=NOW,
            expires_at=ONE.expires_at,
        )
    )
    assert await requests.live("shop", USER, "s1", now=NOW) == [ONE]


async def test_a_request_is_found_by_the_beginning_of_its_ticket(requests: BindRequests) -> None:
    """Red when a database compares tickets without case, or by another order than that of their bytes."""
    for ticket in ("abM_-zZ9aaaa", "abM_-zZ9____", "abm_-zZ9aaaa", "abM_-zZ8____", "abM_-zZaaaaa"):
        await requests.save(_like(ticket))
    found = await requests.beginning("abM_-zZ9")
    assert sorted(it.ticket for it in found) == ["abM_-zZ9____", "abM_-zZ9aaaa"]
    assert await requests.beginning("none") == []
