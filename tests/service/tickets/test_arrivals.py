"""A ticket is confirmed by a person whom a web authorization named, as by the sender of a push."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from decided import ANNA, KEPT, NOW, USER, cancelled, claim
from writing import writing_engine

from models.binding import Policy, UserId
from models.events import OpenId
from models.tables.identities import followers as table
from models.ticket import Ending, Outcome
from service.bindings.repository import Bindings
from service.identities.followers import Arrival, Authorized, Follower, Followers, Sender
from service.identities.repository import Identities, Identity
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database
from service.tickets.decisions import TicketDecisions

ON_SITE = OpenId("sAnna")
SCANS = Sender("main", ANNA, NOW)


@pytest.fixture
def identities(identities: Identities) -> Identities:
    identities.open_platforms = {"main": "acme", "site": "acme"}
    return identities


def authorized(unionid: str | None = "uAnna", *, account: str = "site", openid: OpenId = ON_SITE) -> Authorized:
    return Authorized(account, openid, unionid)


async def confirm(
    decisions: TicketDecisions, arrival: Arrival, ticket: str = "t1", user_id: str | None = None
) -> tuple[Ending, Follower]:
    how: dict[str, Any] = {"policy": Policy(), "state": None, "now": NOW}
    return await decisions.confirm_arrival(claim(ticket, user_id, account=arrival.account), arrival, **how)


async def known(followers: Followers, arrival: Arrival) -> Identity:
    found = await followers.database.read(
        lambda connection: followers.identities.find(connection, arrival.account, arrival.openid)
    )
    assert found is not None
    return found


async def test_a_new_person_is_stored_as_none_who_follows_and_bound_in_one_transaction(
    database: Database, decisions: TicketDecisions, followers: Followers, bindings: Bindings
) -> None:
    """Red when `confirm_arrival` stores the person by `Followers.seen`."""
    commits: list[sa.Connection] = []
    sa.event.listen(writing_engine(database), "commit", commits.append)
    ending, follower = await confirm(decisions, authorized(), user_id=USER)
    assert len(commits) == 1
    assert (ending.outcome, ending.openid) == (Outcome.BOUND, ON_SITE)
    assert follower == Follower("site", ON_SITE, subscribed=False, unionid="uAnna")
    assert await followers.get("site", ON_SITE) == follower
    [binding] = await bindings.of_user("shop", USER)
    assert (binding.account, binding.unionid, binding.subscribed) == ("site", "uAnna", False)


async def test_a_person_who_tells_nothing_new_is_not_written(followers: Followers, database: Database) -> None:
    await followers.seen(authorized())
    begun: list[Any] = []
    sa.event.listen(writing_engine(database), "begin", begun.append)
    for unionid in ("uAnna", None):
        assert (await followers.seen(authorized(unionid))).unionid == "uAnna"
    assert begun == []
    await followers.seen(authorized("uNew"))
    assert (await known(followers, authorized())).unionid == "uNew"


async def test_who_is_bound_by_scan_is_known_on_the_web(decisions: TicketDecisions, followers: Followers) -> None:
    """Red when `store` does not learn the unionid of an `Authorized`."""
    await followers.seen(SCANS)
    await followers.learned("main", ANNA, unionid="uAnna", lang=None, asked_at=NOW)
    await confirm(decisions, SCANS, "t1", USER)
    ending, _ = await confirm(decisions, authorized(), "t2")
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, USER)


async def test_who_is_bound_on_the_web_is_known_by_scan(decisions: TicketDecisions, followers: Followers) -> None:
    await confirm(decisions, authorized(), "t1", USER)
    await followers.seen(SCANS)
    await followers.learned("main", ANNA, unionid="uAnna", lang=None, asked_at=NOW)
    ending, _ = await confirm(decisions, SCANS, "t2")
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, USER)


async def test_a_changed_unionid_joins_the_new_person_and_splits_nothing(
    decisions: TicketDecisions, followers: Followers
) -> None:
    """Red when `_learn` keeps what was joined under the former unionid."""
    other = authorized("uOld", account="other", openid=OpenId("oOther"))
    followers.identities.open_platforms = {"main": "acme", "site": "acme", "other": "acme"}
    await confirm(decisions, authorized("uNew", account="main", openid=ANNA), "t1", USER)
    await confirm(decisions, other, "t2")
    await confirm(decisions, authorized("uOld"), "t3")
    ending, follower = await confirm(decisions, authorized("uNew"), "t4")
    assert (ending.outcome, ending.user_id, follower.unionid) == (Outcome.LOGIN, USER, "uNew")
    assert len({(await known(followers, it)).person for it in (SCANS, other, authorized())}) == 1
    ending, follower = await confirm(decisions, authorized(None), "t5")
    assert (ending.outcome, follower.unionid) == (Outcome.LOGIN, "uNew")


async def test_a_follower_stays_one_and_another_becomes_one_by_a_push(
    decisions: TicketDecisions, followers: Followers
) -> None:
    """Red when an `Authorized` ends `subscribed`, or has user/info asked again."""
    on_web = authorized(None, account="main", openid=ANNA)
    _, follower = await confirm(decisions, on_web, "t1")
    assert not follower.subscribed
    _, follower = await confirm(decisions, SCANS, "t2")
    assert follower.subscribed
    await followers.learned("main", ANNA, unionid=None, lang=None, asked_at=NOW)
    expected = Follower("main", ANNA, subscribed=True, unionid="uAnna", asked_at=KEPT)
    _, follower = await confirm(decisions, authorized(account="main", openid=ANNA), "t3")
    assert follower == await followers.get("main", ANNA) == expected


async def test_arrivals_of_one_person_by_scan_and_web_at_once_are_one_person(
    decisions: TicketDecisions, followers: Followers, bindings: Bindings, database: Database
) -> None:
    for round_ in range(5):
        openid, unionid, user = OpenId(f"o{round_}"), f"u{round_}", f"user{round_}"
        arrivals: list[Arrival] = [Sender("main", openid, NOW), Authorized("main", openid, unionid)]
        arrivals.append(Authorized("site", openid, unionid))
        ended = await asyncio.gather(
            *(confirm(decisions, arrival, f"t{round_}{at}", user) for at, arrival in enumerate(arrivals))
        )
        assert {ending.outcome for ending, _ in ended} <= {Outcome.BOUND, Outcome.ALREADY_BOUND}
        main, site = [await known(followers, it) for it in arrivals[1:]]
        assert main.person == site.person is not None
        assert (main.subscribed, site.subscribed) == (True, False)
        assert [it.account for it in await bindings.of_user("shop", UserId(user))] == ["main", "site"]
    assert await database.read(lambda it: it.scalar(sa.select(sa.func.count()).select_from(table))) == 10


async def test_an_earlier_ending_stands_and_the_person_is_stored(
    decisions: TicketDecisions, followers: Followers, bindings: Bindings
) -> None:
    first = await decisions.close(cancelled())
    ending, follower = await confirm(decisions, authorized(), user_id=USER)
    assert ending == first
    assert follower == await followers.get("site", ON_SITE)
    assert follower.unionid == "uAnna"
    assert await bindings.of_user("shop", USER) == []


async def test_who_was_erased_meanwhile_arrives_as_a_new_person(
    decisions: TicketDecisions, bindings: Bindings, erasure: FollowerErasure
) -> None:
    """Red when `followed_at` of a person who never followed is later than an unsubscribe or a revocation."""
    await confirm(decisions, authorized(), "t1", USER)
    long_ago = NOW - timedelta(days=400)
    assert await erasure.unfollowed("site", ON_SITE, at=long_ago, erase=True, now=NOW)
    assert await bindings.of_user("shop", USER) == []
    ticket = claim("t2", account="site")
    assert await decisions.confirm(ticket, ON_SITE, policy=Policy(), state=None, now=NOW) is None
    ending, _ = await confirm(decisions, authorized(), "t2")
    assert ending.outcome is Outcome.REGISTER
