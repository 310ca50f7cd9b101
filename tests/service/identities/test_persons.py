"""Identities with one unionid are one person, whenever it becomes known; persons are never split.

Covers: service.identities.joining.

Red when `join` does not look inside one Open Platform account alone, claims no anchor, moves no other identities
of a person, or when `learned` gives up the person of an identity whose unionid changes.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from lock_waits import overlapping
from outgoing import SHOP, rows, subscribed, write

from models.events import OpenId
from models.tables.identities import followers as table
from models.webhook import WebhookEvent
from service.crypto.field_encryption import FieldCipher
from service.identities import joining, persons
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities, Identity
from service.outbox.outbox import About
from service.storage.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = "an older key of thirty-two letters or so", "the newer key of thirty-two letters or so"


async def learn(followers: Followers, openid: str, unionid: str | None, *, account: str = "main") -> None:
    await followers.seen(Sender(account, OpenId(openid), NOW))
    await followers.learned(account, OpenId(openid), unionid=unionid, lang=None, asked_at=NOW)


async def identity(followers: Followers, openid: str, *, account: str = "main") -> Identity:
    found = await followers.database.read(
        lambda connection: followers.identities.find(connection, account, OpenId(openid))
    )
    assert found is not None
    return found


async def person(followers: Followers, openid: str, *, account: str = "main") -> int | None:
    return (await identity(followers, openid, account=account)).person


async def test_a_unionid_joins_identities_and_another_or_none_does_not(followers: Followers) -> None:
    await learn(followers, "oA", "uAnna")
    await learn(followers, "oB", "uAnna", account="second")
    await learn(followers, "oC", "uBert", account="second")
    await learn(followers, "oD", None, account="second")
    anna = await person(followers, "oA")
    assert anna == (await identity(followers, "oA")).id
    assert await person(followers, "oB", account="second") == anna
    assert await person(followers, "oC", account="second") not in (None, anna)
    assert await person(followers, "oD", account="second") is None


async def test_a_unionid_counts_inside_one_open_platform_account_only(
    followers: Followers, identities: Identities
) -> None:
    identities.open_platforms = {"main": "acme", "site": "acme", "other": "rival", "old": "", "alone": None}
    for account in identities.open_platforms:
        await learn(followers, "oA", "uAnna", account=account)
    await learn(followers, "oA", "uAnna", account="unlisted")  # as those without the setting
    found = {
        name: await person(followers, "oA", account=name) for name in (*identities.open_platforms, "unlisted")
    }
    assert found["main"] == found["site"]
    assert found["old"] == found["unlisted"]
    assert found["alone"] is None
    assert len({found[name] for name in ("main", "other", "old")}) == 3


async def test_an_app_that_is_taken_out_of_its_open_platform_account_joins_no_more(
    followers: Followers, identities: Identities
) -> None:
    identities.open_platforms = {"site": "acme"}
    await learn(followers, "oA", "uAnna", account="site")
    identities.open_platforms = {"site": None}
    known = await identity(followers, "oA", account="site")
    assert await followers.database.attempt(lambda connection: followers.join(connection, known)) == known


async def test_a_changed_unionid_joins_the_new_and_splits_nothing(followers: Followers) -> None:
    await learn(followers, "oA", "uOld")
    await learn(followers, "oB", "uOld", account="second")
    await learn(followers, "oC", "uNew", account="third")
    await followers.learned("second", OpenId("oB"), unionid="uNew", lang=None, asked_at=NOW)
    places = (("main", "oA"), ("second", "oB"), ("third", "oC"))
    assert len({await person(followers, openid, account=account) for account, openid in places}) == 1
    await learn(followers, "oD", "uOld", account="fourth")
    assert await person(followers, "oD", account="fourth") == await person(followers, "oC", account="third")


async def test_a_unionid_that_changed_is_kept_nowhere(followers: Followers, database: Database) -> None:
    """Red when `learned` leaves the anchor of the former unionid."""
    await learn(followers, "oA", "uNew")
    await learn(followers, "oB", "uOld", account="second")
    assert await anchors(database) == 2
    await followers.learned("second", OpenId("oB"), unionid="uNew", lang=None, asked_at=NOW)
    assert await anchors(database) == 1


async def test_an_identity_without_data_of_wechat_keeps_its_person(followers: Followers) -> None:
    await learn(followers, "oA", "uAnna")
    known = await identity(followers, "oA")
    await followers.learned("main", OpenId("oA"), unionid=None, lang=None, asked_at=NOW)
    await followers.seen(Sender("main", OpenId("oA"), NOW, followed=True))
    assert await identity(followers, "oA") == known


async def test_two_identities_that_learn_one_unionid_at_once_are_one_person(
    followers: Followers, database: Database
) -> None:
    """Red when `_claim` is left out: each would see no other, and be a person of its own."""
    for round_ in range(5):
        places = [(f"account{number}", f"o{round_}") for number in range(4)]
        for account, openid in places:
            await followers.seen(Sender(account, OpenId(openid), NOW))
        learned = (
            followers.learned(account, OpenId(openid), unionid=f"u{round_}", lang=None, asked_at=NOW)
            for account, openid in places
        )
        await asyncio.gather(*learned)
        found = {await person(followers, openid, account=account) for account, openid in places}
        assert len(found) == 1
        assert None not in found
    assert await anchors(database) == 5


async def test_an_identity_that_joins_a_person_who_is_just_united_with_another_is_not_left_behind(
    followers: Followers, database: Database
) -> None:
    """Red when `join` does not `hold` the identities it found, or `_unite` does not look again."""
    await learn(followers, "oOlder", "uOther")
    await learn(followers, "oHere", "uOne")
    for unionid in ("uOne", "uTwo"):  # of the same person as before, and not found by it any more
        await learn(followers, "oThere", unionid, account="second")
    await learn(followers, "oLate", "uOne", account="third")
    late = sa.update(table).where(table.c.account == "third")
    async with database.writing() as connection:
        await connection.execute(late.values(person_id=None, open_platform=None))
    known = await identity(followers, "oLate", account="third")
    uniting = followers.learned("second", OpenId("oThere"), unionid="uOther", lang=None, asked_at=NOW)
    await overlapping(database, lambda it: followers.join(it, known), uniting)
    places = (("main", "oOlder"), ("main", "oHere"), ("second", "oThere"), ("third", "oLate"))
    assert len({await person(followers, openid, account=account) for account, openid in places}) == 1


async def anchors(database: Database) -> int:
    count = sa.select(sa.func.count(table.c.anchor))
    return await database.read(lambda connection: connection.execute(count).scalar_one())


@pytest.mark.parametrize(("before", "after"), [([OLD], [OLD, NEW]), ([OLD, NEW], [NEW, OLD]), ([NEW, OLD], [NEW])])
async def test_persons_are_one_for_two_processes_at_each_step_of_a_rotation(
    database: Database, before: list[str], after: list[str]
) -> None:
    """Red when `anchors` returns one form alone: the newest, or the one that both know at the second step."""
    one, other = (Followers(database, Identities(FieldCipher.of(keys))) for keys in (before, after))
    for round_ in range(10):
        openid = OpenId(f"o{round_}")
        await asyncio.gather(one.seen(Sender("main", openid, NOW)), other.seen(Sender("second", openid, NOW)))
        await asyncio.gather(
            one.learned("main", openid, unionid=f"u{round_}", lang=None, asked_at=NOW),
            other.learned("second", openid, unionid=f"u{round_}", lang=None, asked_at=NOW),
        )
        assert await person(other, openid) == await person(one, openid, account="second")


async def as_before(database: Database) -> None:
    """Make the rows those of an earlier version, which stored unionids and no persons."""
    nothing = {"person_id": None, "open_platform": None, "anchor": None}

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.update(table).values(nothing))

    await database.attempt(work)


async def test_followers_from_before_are_joined_in_the_background(
    followers: Followers, identities: Identities, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "_BATCH", 2)
    identities.open_platforms = {"main": "", "second": ""}
    for number in range(5):
        await learn(followers, f"oA{number}", f"u{number}")
        await learn(followers, f"oB{number}", f"u{number}", account="second")
    await learn(followers, "oNone", None)
    await as_before(database)
    assert await joining.join_all(followers, table.c.account == "main", "") == 5
    assert await joining.join_all(followers, table.c.account == "second", "") == 0, (
        "they were joined with the first"
    )
    for number in range(5):
        found = await person(followers, f"oA{number}")
        assert found == await person(followers, f"oB{number}", account="second")
    assert await person(followers, "oNone") is None
    identities.open_platforms = {"main": "acme", "second": ""}  # the operator names one of the two
    assert await joining.join_all(followers, table.c.account == "main", "acme") == 5
    assert (await identity(followers, "oA1")).open_platform == "acme"
    assert await person(followers, "oA1") == await person(followers, "oB1", account="second"), "never split"


async def test_a_row_that_cannot_be_decrypted_holds_up_no_other(database: Database) -> None:
    strange = Followers(database, Identities(FieldCipher.of([OLD])))
    await learn(strange, "oStrange", "uStrange")
    ours = Followers(database, Identities(FieldCipher.of([NEW])))
    await learn(ours, "oOurs", "uOurs")
    await as_before(database)
    assert await joining.join_all(ours, table.c.account == "main", "") == 1


async def test_persons_who_are_united_take_all_their_identities_along(
    followers: Followers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_unite` moves only the identities that have the unionid."""
    told = list[int]()
    followers.on_joined = lambda _connection, _identities, person: told.append(person)
    await learn(followers, "oA", "uOne")
    await learn(followers, "oB", "uTwo", account="second")
    await learn(followers, "oC", "uTwo", account="third")
    assert told == [await person(followers, "oB", account="second")]
    await followers.learned("third", OpenId("oC"), unionid="uOne", lang=None, asked_at=NOW)
    anna = await person(followers, "oA")
    assert (
        await person(followers, "oB", account="second") == await person(followers, "oC", account="third") == anna
    )
    assert told[1:] == [anna]


async def test_events_of_persons_who_are_united_are_those_of_one(followers: Followers, database: Database) -> None:
    """Red when they go on out of order, or an erasure of the person does not find them."""
    await learn(followers, "oA", "uOne")
    await learn(followers, "oB", "uTwo", account="second")
    await learn(followers, "oC", "uTwo", account="third")
    box = subscribed(followers.identities.cipher, shop=SHOP)
    before = await person(followers, "oB", account="second")
    await write(database, box, WebhookEvent.PERSON_CONFLICT, about=About(person=before))
    await followers.learned("third", OpenId("oC"), unionid="uOne", lang=None, asked_at=NOW)
    assert [row["person_id"] for row in await rows(database)] == [await person(followers, "oA")] != [before]


async def test_what_was_joined_is_not_looked_at_again(followers: Followers) -> None:
    await learn(followers, "oA", "uAnna")
    known = await identity(followers, "oA")

    def work(connection: sa.Connection) -> tuple[Identity, frozenset[int]]:
        return persons.join(connection, followers.identities, known, names={})

    assert await followers.database.attempt(work) == (known, frozenset())
    none = replace(known, unionid=None, open_platform=None)
    assert await followers.database.attempt(
        lambda connection: persons.join(connection, followers.identities, none, names={})
    ) == (none, frozenset())


async def test_an_account_taken_out_before_the_upgrade_is_joined_to_its_person(
    followers: Followers, identities: Identities, database: Database
) -> None:
    """The version before recognised a person who is bound there, in every account of the client."""
    await learn(followers, "oGone", "uAnna", account="gone")
    await as_before(database)
    identities.open_platforms = {"main": ""}
    await learn(followers, "oA", "uAnna")
    assert await person(followers, "oA") == await person(followers, "oGone", account="gone")
