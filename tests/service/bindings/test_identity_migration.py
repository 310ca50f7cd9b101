"""An identity that gets a new openid, and one that meets the person's identity at the new account.

Red when `_take_over` leaves out a table, `_carry` does not look at the user's other WeChat, or `rename` does not
look for the openid under other keys.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import bind_in
from decided import claim
from migrating import AT, Begin, Migration, new, old
from migration_checks import check_nothing_lost

from models.audit import AuditEvent
from models.binding import Policy, UserId
from models.errors import StoreUnavailable
from models.events import OpenId, shortened
from models.tables.bindings import bindings as table
from models.tables.identities import followers
from models.ticket import Outcome
from sandbox.people import Person
from service.bindings.repository import Bindings
from service.bindings.rules import owner
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Authorized, Sender
from service.identities.profiles import Profiles
from service.identities.repository import Identities
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

OLDER, NEWER = "an older key of thirty-two letters or so", "the newer key of thirty-two letters or so"


def decisions(moving: Migration) -> TicketDecisions:
    identities = moving.followers().identities
    return TicketDecisions(moving.database, identities, moving.followers(), Endings(moving.database, identities))


async def log_in(moving: Migration, person: Person, ticket: str) -> str | None:
    """Scan a login code of the shop at the new account; return the user, None for a new person."""
    wanted, arrival = claim(ticket, account=moving.account), Sender(moving.account, new(person), AT)
    ending, _ = await decisions(moving).confirm_arrival(wanted, arrival, policy=Policy(), state=None, now=AT)
    assert ending.outcome in (Outcome.LOGIN, Outcome.REGISTER)
    return ending.user_id


async def test_an_identity_at_the_new_account_becomes_one_with_the_older_row(moving: Migration) -> None:
    anna = await moving.person(shop="42")
    await moving.bind(anna, club="7")
    await log_in(moving, anna, "t1")
    await Bindings(moving.database, moving.followers().identities).disconnect(
        "club", UserId("7"), account=moving.account, now=AT
    )
    await moving.bind(anna, forum="9")
    before = await moving.rows()
    moving.declare()
    report = await moving.run()
    assert (report.migrated, report.united) == (1, 1)
    after = await moving.rows()
    [row] = after["followers"]
    assert (row["id"], row["openid"]) == (before["followers"][0]["id"], new(anna))
    for name in ("bindings", "history", "separations", "endings"):
        assert {it["follower_id"] for it in after[name]} == {row["id"]}, name
    assert await moving.bindings("shop", "42") == await moving.bindings("forum", "9") == [moving.now(anna)]
    assert await log_in(moving, anna, "t2") == "42"
    await check_nothing_lost(moving, [anna], before)


@pytest.mark.parametrize("by_page", [True, False], ids=["signed in by a page", "followed and left"])
async def test_only_a_follow_at_the_new_account_tells_whether_the_person_follows(
    moving: Migration, *, by_page: bool
) -> None:
    """Red when an identity of a web authorization, which says nothing about it, ends what a push has told."""
    anna = await moving.person(shop="42")
    there, known = (moving.account, new(anna)), moving.followers()
    await known.seen(Authorized(*there, None) if by_page else Sender(*there, AT))
    if not by_page:
        await known.gone(*there, since=AT)
    moving.declare()
    assert (await moving.run()).united == 1
    [row] = (await moving.rows())["followers"]
    assert (row["subscribed"], row["followed_at"]) == (by_page, AT)


async def test_a_person_who_was_disconnected_alone_in_both_accounts_stays_so(moving: Migration) -> None:
    anna = await moving.person(shop="42")
    for account in ("main", moving.account):
        if account == moving.account:
            await moving.bind(anna, shop="42")
        mine = Bindings(moving.database, moving.followers().identities)
        await mine.disconnect("shop", UserId("42"), account=account, now=AT)
    moving.declare()
    await moving.run()
    [row] = (await moving.rows())["separations"]
    assert row["follower_id"] == (await moving.rows())["followers"][0]["id"]


async def test_of_two_bindings_to_one_user_the_older_stays_with_the_later_login(begin: Begin) -> None:
    """Under one name the database has kept the user from a second WeChat."""
    async with begin() as moving:
        moving.account = "second"
        anna = await moving.person(shop="42")
        await moving.bind(anna, shop="42")
        async with moving.database.writing() as connection:
            for account, ahead in (("main", 0), ("second", 1)):
                when = {"bound_at": AT + timedelta(ahead), "last_login_at": AT + timedelta(8 + ahead)}
                await connection.execute(sa.update(table).where(table.c.account == account).values(when))
        moving.declare()
        await moving.run()
        rows = await moving.rows()
        [kept] = rows["bindings"]
        assert (kept["bound_at"], kept["last_login_at"]) == (AT, AT + timedelta(9))
        assert await moving.bindings("shop", "42") == [moving.now(anna)]
        changes = [(it["change"], it["account"]) for it in rows["history"]][2:]
        assert changes == [("replaced", "second"), ("migrated", "second")]


async def test_one_person_with_two_users_is_left_with_both_and_named_by_line(moving: Migration) -> None:
    anna, ben = await moving.person(shop="42", club="7"), await moving.person(shop="1")
    await moving.bind(anna, shop="43")
    before = await moving.rows()
    moving.declare()
    report = await moving.run()
    assert (report.migrated, report.clashing, report.left) == (1, 1, True)
    assert moving.lines[0] == (
        f'main, {shortened(old(anna))}: left: at shop this person is user "42" and, as {shortened(new(anna))}, '
        'user "43"'
    )
    assert await moving.bindings("shop", "43") == [moving.now(anna)]
    assert [it[2] for it in await moving.bindings("shop", "42")] == [old(anna)]
    await check_nothing_lost(moving, [anna, ben], before)
    await Bindings(moving.database, moving.followers().identities).disconnect("shop", UserId("43"), now=AT)
    assert (await moving.run()).left is False
    assert await moving.bindings("shop", "42") == await moving.bindings("club", "7") == [moving.now(anna)]


async def test_a_user_with_another_wechat_in_the_new_account_keeps_both(begin: Begin) -> None:
    async with begin() as moving:
        moving.account = "second"
        anna, ben = await moving.person(shop="42"), await moving.person()
        await moving.bind(ben, shop="42")
        before = await moving.rows()
        moving.declare()
        report = await moving.run()
        assert (report.migrated, report.clashing) == (1, 1)
        assert moving.lines[0].endswith('this person is user "42", who has another WeChat in the new account')
        assert [it[2] for it in await moving.bindings("shop", "42")] == [old(anna), new(ben)]
        await check_nothing_lost(moving, [anna, ben], before)


async def test_persons_stay_joined_and_both_persons_of_one_become_one(moving: Migration) -> None:
    anna, ben = await moving.person(shop="42"), await moving.person(shop="1")
    for person, unionid in ((anna, "uAnna"), (ben, "uBen")):
        await moving.learn(person, unionid, before=True)
    await moving.bind(anna)
    await moving.learn(anna, "uAnnaAnew")
    before = {row["openid"]: row["person_id"] for row in (await moving.rows())["followers"]}
    moving.declare()
    assert (await moving.run()).united == 1
    after = {row["openid"]: row for row in (await moving.rows())["followers"]}
    assert set(after) == {new(anna), new(ben)}
    assert after[new(ben)]["person_id"] == before[old(ben)]
    assert after[new(anna)]["person_id"] == min(before[old(anna)], before[new(anna)])
    assert after[new(anna)]["unionid"] == "uAnnaAnew"
    assert [row["open_platform"] for row in after.values()] == ["", ""]
    third = Sender("other", OpenId("oThird"), AT)
    await moving.followers().seen(third)
    await moving.followers().learned("other", third.openid, unionid="uBen", lang=None, asked_at=AT)
    joined = {row["openid"]: row["person_id"] for row in (await moving.rows())["followers"]}
    assert joined["oThird"] == joined[new(ben)]


async def test_persons_who_become_one_with_two_users_are_reported(begin: Begin) -> None:
    """Anna's third identity is bound to another user of the shop; only the new account tells that it is hers."""
    async with begin() as moving:
        anna = await moving.person(shop="42")
        await moving.learn(anna, "uAnna", before=True)
        await moving.bind(anna)
        await moving.learn(anna, "uAnnaAnew")
        mine = moving.followers()
        await mine.seen(Sender("other", OpenId("oThird"), AT))
        await mine.learned("other", OpenId("oThird"), unionid="uAnnaAnew", lang=None, asked_at=AT)
        how: dict[str, Any] = {"account": "other", "client": "shop"}
        await moving.database.once(lambda it: bind_in(it, mine.identities, "oThird", "43", **how) and None)
        moving.declare()
        assert (await moving.run()).united == 1
        entries = [row for row in (await moving.rows())["audit"] if row["event"] == AuditEvent.PERSON_CONFLICT]
        assert [(row["user_id"], row["account"]) for row in entries] == [("42", "main"), ("43", "other")]


@pytest.mark.parametrize(
    "keys", [(NEWER,), (NEWER, OLDER), ("clear", NEWER)], ids=["encrypted", "during a rotation", "decrypting"]
)
async def test_openids_are_found_and_stored_under_every_key(moving: Migration, keys: tuple[str, ...]) -> None:
    moving.keys = keys[-1:]
    anna, ben = await moving.person(shop="42"), await moving.person(shop="1")
    await moving.bind(ben)
    moving.keys = keys
    moving.declare()
    assert (await moving.run()).united == 1
    assert await moving.bindings("shop", "42") == [moving.now(anna)]
    assert await moving.bindings("shop", "1") == [moving.now(ben)]
    rows = (await moving.rows())["followers"]
    assert {row["sealed_by"] for row in rows} == {FieldCipher.of(keys).newest}
    assert any(row["openid"] == new(anna) for row in rows) == (keys[0] == "clear")


async def test_an_openid_that_another_process_stored_under_its_key_is_not_given_again(moving: Migration) -> None:
    """Red when `Identities.rename` does not look for other forms."""
    anna = await moving.person()
    await moving.bind(anna)
    identities = Identities(FieldCipher.of((NEWER,)), moving.settings().appids)

    def work(connection: sa.Connection) -> bool:
        former = moving.followers(before=True).identities.find(connection, "main", old(anna), hold=True)
        assert former
        with connection.begin_nested() as point:
            done = identities.rename(connection, former, moving.account, new(anna))
            point.rollback()
        return done

    assert await moving.database.once(work) is False


async def test_two_rows_of_one_openid_at_the_new_account_become_one(moving: Migration) -> None:
    """As a process of the version before may have left them (docs/adr/0023)."""
    anna = await moving.person(shop="42")
    await moving.bind(anna, club="7")
    async with moving.database.writing() as connection:
        await connection.execute(sa.update(followers).where(followers.c.openid == new(anna)).values(appid=""))
        twice = sa.select(*[it for it in followers.c if it.name != "id"]).where(followers.c.openid == new(anna))
        [row] = (await connection.execute(twice)).mappings()
        appid = moving.settings().appids[moving.account]
        await connection.execute(sa.insert(followers).values({**row, "appid": appid}))
    moving.declare()
    assert (await moving.run()).united == 1
    assert len((await moving.rows())["followers"]) == 1
    assert await moving.bindings("club", "7") == [moving.now(anna)]


async def test_people_who_sign_in_during_the_migration_are_logged_in_or_new_and_never_doubled(
    moving: Migration,
) -> None:
    people = [await moving.person(shop=str(number)) for number in range(30)]
    before = await moving.rows()
    moving.declare()

    async def scan(number: int) -> None:
        for turn in range(4):
            user = await repeated(lambda turn=turn: log_in(moving, people[number], f"t{number}.{turn}"))
            assert user in (None, str(number))

    await asyncio.gather(*(scan(number) for number in range(0, 30, 3)), repeated(moving.run))
    await repeated(moving.run)
    await check_nothing_lost(moving, people, before)
    rows = await moving.rows()
    assert sorted(row["openid"] for row in rows["followers"]) == sorted(map(new, people))
    identities = moving.followers().identities
    for number, person in enumerate(people):
        found = await moving.database.read(
            lambda it, person=person: owner(
                it, identities.find(it, moving.account, new(person)) or pytest.fail("lost"), client="shop"
            )
        )
        assert found
        assert found.user_id == str(number)


async def repeated(work: Callable[[], Any]) -> Any:
    """Do what WeChat and operators do when the database does not answer in time: repeat it."""
    for _ in range(20):
        try:
            return await work()
        except StoreUnavailable:
            continue
    return await work()


@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed {seed}")
async def test_no_identity_binding_or_history_is_lost_whatever_happened_before(
    moving: Migration, seed: int
) -> None:
    chance = Random(seed)
    people: list[Person] = []
    for _ in range(25):
        person = await moving.person(**users(chance))
        people.append(person)
        if chance.random() < 0.3:
            await moving.learn(person, f"u{chance.randrange(30)}", before=True)
        if chance.random() < 0.5:
            await moving.bind(person, **users(chance))
            if chance.random() < 0.5:
                await moving.learn(person, f"u{chance.randrange(30)}")
        if chance.random() < 0.2:
            moving.sandbox.contact(person, account="wx0123456789abcdef").following = False
    before = await moving.rows()
    moving.declare()
    report = await moving.run()
    assert report.migrated + report.unknown + report.clashing == 25
    await check_nothing_lost(moving, people, before)
    assert len((await moving.rows())["followers"]) == len(before["followers"]) - report.united
    assert (await moving.run()).migrated == 0


def users(chance: Random) -> dict[str, str]:
    return {client: f"{chance.randrange(20)}" for client in ("shop", "club", "forum") if chance.random() < 0.5}


async def test_the_older_row_keeps_its_name_and_the_twins_is_deleted(moving: Migration) -> None:
    """Red when the profile of a row that is deleted stays."""
    anna = await moving.person(shop="42")
    await log_in(moving, anna, "t1")
    for before, person in ((True, ("main", old(anna))), (False, (moving.account, new(anna)))):
        identities = moving.followers(before=before).identities
        profiles = Profiles(database=moving.database, identities=identities, showing=())
        await profiles.store(person, "before" if before else "after", None, keep=False, at=AT)
    moving.declare()
    await moving.run()
    after = await moving.rows()
    assert [it["follower_id"] for it in after["profiles"]] == [it["id"] for it in after["followers"]]
    shown = await profiles.of([(moving.account, new(anna))])
    assert [it.nickname for it in shown.values()] == ["before"]
