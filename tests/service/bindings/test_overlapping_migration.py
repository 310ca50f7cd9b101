"""A migration beside a running service: each test lets one transaction of the service be open meanwhile.

Red when `IdentityMigration.move` does not try again after a constraint, or `AccountMigration._store` does not lock
the identities before it reads them.
"""

import asyncio

import sqlalchemy as sa
from binding_rows import bind_in
from lock_waits import overlapping
from migrating import AT, Begin, Migration, new, old

from models.tables.identities import followers
from service.identities.followers import Authorized, Sender
from service.storage.inserting import AppendedRows


async def test_a_person_whom_a_scan_adds_meanwhile_becomes_one_with_the_former_identity(moving: Migration) -> None:
    anna = await moving.person(shop="42")
    moving.declare()
    mine, scan = moving.followers(), Sender(moving.account, new(anna), AT)
    report = await overlapping(moving.database, lambda it: mine.store(it, scan, AppendedRows()), moving.run())
    assert (report.migrated, report.united) == (1, 1)
    assert [row["openid"] for row in (await moving.rows())["followers"]] == [new(anna)]
    assert await moving.bindings("shop", "42") == [moving.now(anna)]


async def test_a_user_who_binds_another_wechat_meanwhile_keeps_both(begin: Begin) -> None:
    async with begin() as moving:
        moving.account = "second"
        anna, ben = await moving.person(shop="42"), await moving.person()
        moving.declare()
        await moving.bind(ben)
        mine = moving.followers().identities

        def bind(connection: sa.Connection) -> None:
            bind_in(connection, mine, new(ben), "42", account="second", client="shop")

        report = await overlapping(moving.database, bind, moving.run())
        assert (report.migrated, report.clashing) == (1, 1)
        assert [it[2] for it in await moving.bindings("shop", "42")] == [old(anna), new(ben)]


async def test_a_unionid_that_is_learnt_meanwhile_is_kept(moving: Migration) -> None:
    anna = await moving.person(shop="42")
    moving.declare()
    mine, told = moving.followers(before=True), Authorized("main", old(anna), "uAnna")
    report = await overlapping(moving.database, lambda it: mine.store(it, told, AppendedRows()), moving.run())
    assert report.migrated == 1
    [row] = (await moving.rows())["followers"]
    assert (row["openid"], row["unionid"], row["person_id"]) == (new(anna), "uAnna", row["id"])


async def test_a_person_who_is_erased_meanwhile_stays_erased(moving: Migration) -> None:
    anna = await moving.person()
    moving.declare()

    def erase(connection: sa.Connection) -> None:
        connection.execute(sa.delete(followers).where(followers.c.openid == old(anna)))

    assert (await overlapping(moving.database, erase, moving.run())).migrated == 0
    assert (await moving.rows())["followers"] == []


async def test_two_migrations_at_once_do_the_work_of_one(moving: Migration) -> None:
    """Red when `Former.read` takes what the other run has migrated already."""
    people = [await moving.person() for _ in range(250)]
    moving.declare()
    first, second = await asyncio.gather(moving.run(), moving.run())
    assert (first.migrated + second.migrated, first.unknown + second.unknown) == (len(people), 0)
