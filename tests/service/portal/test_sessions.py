"""Portal links and sessions in SQL: a link opens once, on every database."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import World, client, problem
from portal_client import visit

from models.binding import UserId
from models.errors import InvalidRequest, SessionNotFound
from models.language import Lang
from models.portal import LINK_LIVES, SESSION_LIVES
from service.audit.log import AuditLog
from service.config.clients import Client
from service.crypto.keyring import Keyring
from service.portal.sessions import OpenedSession, PortalLink, PortalSessions
from service.storage.database import Database

CLIENTS = {name: Client.model_validate(client(name)) for name in ("shop", "club")}
KEYRING = Keyring.derive(("k" * 40,), CLIENTS)
USER = UserId("ünï 42 😀")
TICK = timedelta(milliseconds=1)


class Time:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def portal_of(database: Database, time: Time, **changes: Any) -> PortalSessions:
    how: dict[str, Any] = {"keyring": KEYRING, "clients": CLIENTS, **changes}
    return PortalSessions(database=database, audit=AuditLog(database, clock=time), clock=time, **how)


@pytest.fixture
def portal(database: Database, time: Time) -> PortalSessions:
    return portal_of(database, time)


async def opened(portal: PortalSessions, link: PortalLink) -> OpenedSession | None:
    session = await portal.linked(link.token)
    return await portal.open(session) if session else None


async def entered(portal: PortalSessions, session_id: str, secret: str) -> bool:
    try:
        await portal.enter(session_id, secret)
    except SessionNotFound:
        return False
    return True


async def test_a_session_is_kept_as_it_was_asked_for(portal: PortalSessions) -> None:
    link = await portal.start(
        "shop",
        USER,
        account_name="anna\u202e \x00é <a>\n😀",
        return_url="https://SHOP.example:443/" + "x" * 2023,
        only_login=True,
        lang=Lang.EN,
    )
    assert await portal.linked(link.token) == link.session
    assert (link.session.account_name, link.session.user_id) == ("anna é <a>😀", USER)
    made = await opened(portal, link)
    assert made is not None
    assert await portal.enter(link.session.id, made.secret) == made.session
    assert (made.session.return_url, made.session.only_login, made.session.lang) == (
        link.session.return_url,
        True,
        Lang.EN,
    )


async def test_of_many_who_open_at_once_one_wins(database: Database, time: Time) -> None:
    portals = [portal_of(database, time) for _ in range(2)]
    for _ in range(4):
        link = await portals[0].start("shop", USER)
        found = await asyncio.gather(*(opened(portals[number % 2], link) for number in range(8)))
        [won] = [one for one in found if one]
        assert await portals[1].enter(link.session.id, won.secret) == won.session
        assert await opened(portals[0], link) is None


async def test_a_link_waits_five_minutes_and_not_longer(portal: PortalSessions, time: Time) -> None:
    early, late = await portal.start("shop", USER), await portal.start("shop", USER)
    time.now += LINK_LIVES - TICK
    assert await opened(portal, early)
    time.now += TICK
    assert await opened(portal, late) is None
    assert await portal.linked(late.token) == late.session


async def test_a_session_lasts_half_an_hour_from_its_opening(portal: PortalSessions, time: Time) -> None:
    link = await portal.start("shop", USER)
    time.now += timedelta(seconds=200)
    made = await opened(portal, link)
    assert made is not None
    time.now += SESSION_LIVES - TICK
    assert await entered(portal, link.session.id, made.secret)
    time.now += TICK
    assert not await entered(portal, link.session.id, made.secret)


async def test_a_closed_session_is_over_and_closing_it_again_is_harmless(
    portal: PortalSessions, time: Time, database: Database
) -> None:
    link, other = await portal.start("shop", USER), await portal.start("shop", USER)
    made, stays = await opened(portal, link), await opened(portal, other)
    assert made is not None
    assert stays is not None
    await asyncio.gather(*(portal.close(made.session) for _ in range(4)))
    ended = await portal.linked(link.token)
    time.now += timedelta(seconds=10)
    await portal.close(made.session)
    assert await portal.linked(link.token) == ended
    assert not await entered(portal, made.session.id, made.secret)
    assert await opened(portal, link) is None
    assert await entered(portal, stays.session.id, stays.secret)


async def test_an_unopened_session_cannot_be_entered(portal: PortalSessions, time: Time) -> None:
    link = await portal.start("shop", USER)
    proof = link.token.partition(".")[2]
    secrets = ["", proof, link.token, KEYRING.newest("shop").portal_secret(link.session.id, time.now)]
    for secret in secrets:
        assert not await entered(portal, link.session.id, secret)


async def test_nothing_but_its_own_proof_opens_a_link(portal: PortalSessions) -> None:
    link, other = await portal.start("shop", USER), await portal.start("club", USER)
    session, _, proof = link.token.partition(".")
    forged = [
        "", ".", session, f"{session}.", f".{proof}", f"{session}{proof}", f"{session}.{proof} ",
        f" {session}.{proof}",
        f"{session}..{proof}", f"{session}.{proof}.", f"{session}.{proof[:-1]}", f"{session}.{proof}A",
        f"{session}.{other.token.partition('.')[2]}", f"{other.session.id}.{proof}",
        f"{session.swapcase()}.{proof}", f"{session} .{proof}", f"{session}\0.{proof}", f"{session}.{proof}\0",
        f"{session}.\ud800", f"{session}.é", f"é{session[1:]}.{proof}", "%.%", "_" * 22 + f".{proof}",
        f"{session}.{KEYRING.newest('club').portal_link(session)}",
        f"{other.session.id}.{KEYRING.newest('shop').portal_link(other.session.id)}",
    ]  # fmt: skip
    for token in forged:
        assert await portal.linked(token) is None, token
    assert await portal.linked(link.token) == link.session


async def test_nothing_but_its_own_secret_enters_a_session(portal: PortalSessions, time: Time) -> None:
    mine, theirs = await portal.start("shop", USER), await portal.start("shop", UserId("43"))
    made, other = await opened(portal, mine), await opened(portal, theirs)
    assert made is not None
    assert other is not None
    opened_at = made.session.opened_at
    assert opened_at is not None
    wrong = [
        "", other.secret, mine.token, mine.token.partition(".")[2], made.secret[:-1], f"{made.secret}A",
        made.secret.swapcase(), "\ud800", "é", "\0",
        KEYRING.newest("club").portal_secret(mine.session.id, opened_at),
        KEYRING.newest("shop").portal_secret(mine.session.id, opened_at + TICK),
    ]  # fmt: skip
    for secret in wrong:
        assert not await entered(portal, mine.session.id, secret), secret
    for session in (
        "",
        "\0",
        "x",
        theirs.session.id,
        mine.session.id.swapcase(),
        f"{mine.session.id} ",
        "\ud800" * 22,
    ):
        assert not await entered(portal, session, made.secret), session
    assert await entered(portal, mine.session.id, made.secret)


async def test_a_client_that_is_gone_takes_its_sessions_along(
    portal: PortalSessions, database: Database, time: Time
) -> None:
    link, waiting = await portal.start("shop", USER), await portal.start("shop", USER)
    made = await opened(portal, link)
    assert made is not None
    club = {"club": CLIENTS["club"]}
    later = portal_of(database, time, clients=club, keyring=Keyring.derive(("k" * 40,), club))
    assert not await entered(later, link.session.id, made.secret)
    assert await later.linked(waiting.token) is None


async def test_no_secret_is_stored(portal: PortalSessions, dump: Any) -> None:
    link = await portal.start("shop", USER)
    made = await opened(portal, link)
    assert made is not None
    kept = await dump()
    assert link.session.id in kept
    assert link.token.partition(".")[2] not in kept
    assert made.secret not in kept


async def test_the_way_back_leads_to_the_client(portal: PortalSessions, dump: Any) -> None:
    for url in (
        "https://evil.example/",
        "https://shop.example.evil/",
        "https://shop.example@evil.example/",
        "//x",
        "",
    ):
        with pytest.raises(InvalidRequest, match="return_url: must be an address at one of the client's origins"):
            await portal.start("shop", USER, return_url=url)
    assert "evil" not in await dump()


async def test_what_has_ended_is_purged_and_nothing_else(portal: PortalSessions, time: Time) -> None:
    lapsed, over = await portal.start("shop", USER), await portal.start("shop", USER)
    assert await opened(portal, over)
    time.now += timedelta(hours=1)
    fresh = await portal.start("shop", USER)
    assert await portal.purge(time.now - timedelta(minutes=40)) == 1
    assert await portal.linked(lapsed.token) is None
    assert await portal.linked(over.token)
    assert await portal.purge(time.now) == 1
    assert await portal.linked(over.token) is None
    assert await portal.linked(fresh.token) == fresh.session


async def test_a_whole_visit_on_each_database(database: Database, url: str, make: Callable[..., Any]) -> None:
    world: World = await make(database_url=url)
    person, here = await world.person(), await visit(world, USER, account_name="安娜 😀")
    assert (await here.view())["first_visit"] is True
    await here.connect(person, await here.bind())
    told = await here.view()
    assert ([one["account"] for one in told["bindings"]], told["account_name"]) == (["main"], "安娜 😀")
    for account in ("%00", "MAIN", "main%20"):
        await problem(await here.call("DELETE", f"/bindings/{account}"), 404, "binding-not-found")
    assert (await here.call("DELETE", "/bindings/main")).status == 204
    assert [line["change"] for line in (await here.view())["history"]] == ["disconnected", "bound"]
    assert (await here.call("DELETE")).status == 204
    await problem(await here.call(), 404, "session-not-found")


async def test_closing_all_ends_a_users_sessions_and_names_those_that_may_show_a_code(
    portal: PortalSessions, time: Time
) -> None:
    waiting, running, other = [await portal.start("shop", user) for user in (USER, USER, UserId("43"))]
    elsewhere = await portal.start("club", USER)
    opened_ = [await opened(portal, link) for link in (running, other, elsewhere)]
    for _ in range(2):
        assert await portal.close_all("shop", USER) == [running.session.id]
    assert await opened(portal, waiting) is None
    entries = [await entered(portal, one.session.id, one.secret) for one in opened_ if one]
    assert entries == [False, True, True]
    time.now += SESSION_LIVES + TICK
    assert await portal.close_all("shop", USER) == []
