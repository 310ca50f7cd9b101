"""Followers from before appids were stored get that of their account, while services run.

Red when `store` touches rows that have an appid, or those of another account.
"""

from datetime import UTC, datetime
from functools import partial

import pytest

from models.events import OpenId
from service.crypto.field_encryption import FieldCipher
from service.identities import appids
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.storage.database import Database
from service.storage.inserting import AppendedRows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_each_without_an_appid_gets_that_of_its_account(
    identities: Identities, followers: Followers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appids, "_BATCH", 2)
    for number in range(5):
        await followers.seen(Sender("main", OpenId(f"o{number}"), NOW))
    await followers.seen(Sender("second", OpenId("oSecond"), NOW))
    identities.appids = {"main": "wxOlder"}
    await followers.seen(Sender("main", OpenId("oOlder"), NOW))
    assert await appids.store(database, "main", "wxNow") == 5
    assert await appids.store(database, "main", "wxLater") == 0
    identities.appids = {}
    kept = {}
    for account, openid in [
        *(("main", f"o{number}") for number in range(5)),
        ("main", "oOlder"),
        ("second", "oSecond"),
    ]:
        follower = await followers.get(account, OpenId(openid))
        assert follower is not None
        kept[openid] = follower.appid
    assert kept == {**{f"o{number}": "wxNow" for number in range(5)}, "oOlder": "wxOlder", "oSecond": None}


async def test_sealed_followers_are_found_and_sealed_anew_as_before(database: Database) -> None:
    """Red when the appid becomes part of what is encrypted: rows from before could not be decrypted."""
    key, newer = "an encryption key of the tests, long enough", "another encryption key of the tests, newer"
    before = Followers(database, Identities(FieldCipher.of([key])))
    await before.seen(Sender("main", OpenId("oAnna"), NOW))
    await before.learned("main", OpenId("oAnna"), unionid="uAnna", lang=None, asked_at=NOW)
    await appids.store(database, "main", "wxNow")
    after = Followers(database, Identities(FieldCipher.of([newer, key]), {"main": "wxNow"}))
    follower = await after.get("main", OpenId("oAnna"))
    assert follower is not None
    assert (follower.appid, follower.unionid) == ("wxNow", "uAnna")
    assert (
        await Followers(database, Identities(FieldCipher.of([key]), {"main": "wxLater"})).get(
            "main", OpenId("oAnna")
        )
        is None
    )


async def test_a_duplicate_person_does_not_block_the_others(
    identities: Identities, followers: Followers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `store` does not leave out those whose openid has the appid already."""
    monkeypatch.setattr(appids, "_BATCH", 1)
    for openid in ("oAnna", "oBen"):
        await followers.seen(Sender("main", OpenId(openid), NOW))
    identities.appids = {"main": "wxNow"}
    async with database.writing() as connection:  # as if at the same moment as an older process
        more = {"rows": AppendedRows(), "subscribed": True, "followed_at": NOW}
        await connection.run_sync(partial(identities.add, **more), "main", OpenId("oAnna"))
    assert await appids.store(database, "main", "wxNow") == 1
