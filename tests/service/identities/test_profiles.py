"""Names and pictures are stored with their identity, encrypted with it, and deleted with it.

Red when a name or picture is readable in an encrypted database, decrypted in another row, kept for an erased or
unbound person, or deleted under a site that shows it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from binding_rows import bind_in

from models.binding import ChangeSource, UserId
from models.errors import StoreUnavailable
from models.events import OpenId
from models.profile import Profile, source_of
from models.tables.bindings import bindings as bindings_table
from models.tables.profiles import profiles as table
from service.bindings.repository import Bindings
from service.config.settings import ConfigError, validate
from service.crypto.field_encryption import FieldCipher
from service.identities import profiles as profile_rows
from service.identities import reencryption
from service.identities.followers import Authorized, Followers
from service.identities.profiles import Picture, Profiles, reseal
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = "an older key of thirty-two letters or so", "the newer key of thirty-two letters or so"
ANNA, BEN = ("site", OpenId("oAnna")), ("site", OpenId("oBen"))
PICTURE = Picture(b"\xff\xd8\xff canary picture", source_of("https://thirdwx.qlogo.cn/mmopen/1/132"))


@pytest.fixture
async def profiles(database: Database, identities: Identities) -> Profiles:
    """Profiles of two people who signed in and are bound to no user."""
    followers = Followers(database, identities)
    for person in (ANNA, BEN):
        await followers.seen(Authorized(*person, unionid=None))
    return Profiles(database=database, identities=identities, showing=("shop",))


async def shown(profiles: Profiles) -> Profile:
    return (await profiles.of([ANNA]))[ANNA]


async def named(profiles: Profiles) -> str:
    """Store name and picture of Anna, and return the name of the picture."""
    await profiles.store(ANNA, "canary 安娜", PICTURE, keep=False, at=NOW)
    name = (await shown(profiles)).picture
    assert name
    return name


async def bind(profiles: Profiles, *, client: str) -> None:
    """Bind Anna to the user 42 of a client."""
    how = {"client": client, "account": ANNA[0], "identities": profiles.identities, "now": NOW}
    await profiles.database.attempt(partial(bind_in, openid=ANNA[1], user_id="42", **how))


async def test_name_and_picture_are_found_by_person_and_by_name(profiles: Profiles) -> None:
    name = await named(profiles)
    assert await profiles.of([BEN, ANNA]) == {ANNA: Profile("canary 安娜", name)}
    assert await profiles.picture(name) == PICTURE.content
    assert await profiles.source(ANNA) == PICTURE.source
    assert (await profiles.picture("x" * 16), await profiles.source(BEN)) == (None, None)


async def test_an_encrypted_database_shows_neither(
    profiles: Profiles, identities: Identities, dump: Callable[[], Awaitable[str]]
) -> None:
    await named(profiles)
    assert ("canary" in await dump()) == (identities.cipher.newest is None)


async def test_the_row_is_at_most_64_kib(profiles: Profiles) -> None:
    """The largest picture that is made and the longest name."""
    picture = replace(PICTURE, content=b"\xff" * (32 * 1024))
    await profiles.store(ANNA, "\U0001f600" * 64, picture, keep=False, at=NOW)
    async with profiles.database.reading() as connection:
        [row] = (await connection.execute(sa.select(table))).all()
    assert sum(len(value) for value in row if isinstance(value, bytes | str)) <= 64 * 1024
    assert await profiles.picture((await shown(profiles)).picture or "") == picture.content


async def test_a_kept_picture_keeps_its_address_and_a_new_one_has_another(profiles: Profiles) -> None:
    name = await named(profiles)
    await profiles.store(ANNA, "Anna", None, keep=True, at=NOW)
    assert await shown(profiles) == Profile("Anna", name)
    assert await profiles.picture(name) == PICTURE.content
    await profiles.store(ANNA, "Anna", replace(PICTURE, content=b"\xff\xd8\xff other"), keep=False, at=NOW)
    after = (await shown(profiles)).picture or ""
    assert await profiles.picture(after) == b"\xff\xd8\xff other"
    assert await profiles.picture(name) is None


async def test_a_removed_picture_is_removed(profiles: Profiles) -> None:
    name = await named(profiles)
    await profiles.store(ANNA, "Anna", None, keep=False, at=NOW)
    assert await shown(profiles) == Profile("Anna", None)
    assert (await profiles.picture(name), await profiles.source(ANNA)) == (None, None)


async def test_nothing_is_stored_of_a_person_who_was_erased(profiles: Profiles, erasure: FollowerErasure) -> None:
    name = await named(profiles)
    await erasure.unfollowed(*ANNA, at=NOW, erase=True, now=NOW)
    assert await profiles.picture(name) is None
    await profiles.store(ANNA, "Anna", PICTURE, keep=False, at=NOW)
    async with profiles.database.reading() as connection:
        assert (await connection.execute(sa.select(table))).all() == []


async def test_two_logins_at_once_leave_one_of_both(profiles: Profiles) -> None:
    """Red when the identity is not locked: the second insert would violate the primary key."""
    stores = [profiles.store(ANNA, f"Anna {number}", PICTURE, keep=False, at=NOW) for number in range(8)]
    await asyncio.gather(*stores)
    it = await shown(profiles)
    assert it.nickname.startswith("Anna ")
    assert await profiles.picture(it.picture or "") == PICTURE.content


@pytest.mark.parametrize("bound_at", ["shop", "club", None])
async def test_only_a_site_that_shows_profiles_keeps_them(profiles: Profiles, bound_at: str | None) -> None:
    name = await named(profiles)
    if bound_at:
        await bind(profiles, client=bound_at)
    await profiles.purge(NOW)
    assert await profiles.picture(name), "the registration still works"
    await profiles.purge(NOW + timedelta(seconds=1))
    assert (await profiles.picture(name) is not None) == (bound_at == "shop")


@pytest.mark.parametrize("identities", [()], indirect=True, ids=["clear"])
async def test_a_purge_goes_through_all_people_in_pages(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_rows, "_PAGE", 3)
    numbers = range(1_000, 1_020)
    kept = [{"follower_id": number, "nickname": b"Anna", "at": NOW} for number in numbers]
    bound = [
        {"follower_id": number, "user_id": str(number), "client": "shop", "account": "site", "bound_at": NOW}
        for number in numbers
        if number % 2
    ]
    async with profiles.database.writing() as connection:
        await connection.execute(sa.insert(table), kept)
        await connection.execute(sa.insert(bindings_table), bound)
    assert await profiles.purge(NOW + timedelta(seconds=1)) == 10
    async with profiles.database.reading() as connection:
        left = (await connection.scalars(sa.select(table.c.follower_id).order_by(table.c.follower_id))).all()
    assert left == [number for number in numbers if number % 2]


async def test_the_last_disconnect_deletes_them(profiles: Profiles, bindings: Bindings) -> None:
    name = await named(profiles)
    for client in ("shop", "club"):
        await bind(profiles, client=client)
    await bindings.disconnect("club", UserId("42"), source=ChangeSource.SITE, now=NOW)
    assert await profiles.picture(name)
    await bindings.disconnect("shop", UserId("42"), account="site", source=ChangeSource.SITE, now=NOW)
    assert await profiles.picture(name) is None
    assert await profiles.of([ANNA]) == {}


# --- keys


CLEAR = pytest.mark.parametrize("identities", [()], indirect=True, ids=["clear"])


@pytest.fixture
def keyed(profiles: Profiles) -> Callable[..., Profiles]:
    """Return the profiles as a process with other keys reads them."""

    def other(*keys: str) -> Profiles:
        return replace(profiles, identities=Identities(FieldCipher.of(keys)))

    return other


@CLEAR
async def test_a_rotation_seals_them_too(
    profiles: Profiles,
    keyed: Callable[..., Profiles],
    url: str,
    tmp_path: Path,
    dump: Callable[[], Awaitable[str]],
) -> None:
    name = await named(profiles)

    async def encrypt(*keys: str) -> str:
        values = {"database": {"url": url}, "data_dir": str(tmp_path), "secret_key": "k" * 40}
        return str(await reencryption.encrypt(validate(values | {"encryption": {"keys": list(keys)}})))

    assert await encrypt(OLD) == "2 people encrypted, 0 left"
    assert "canary" not in await dump()
    assert await encrypt(NEW, OLD) == "2 people encrypted, 0 left"
    process = keyed(NEW)
    assert await process.picture(name) == PICTURE.content
    assert (await shown(process)).nickname == "canary 安娜"
    with pytest.raises(ConfigError, match=r"encryption\.keys: the database has rows"):
        await reencryption.check(profiles.database, FieldCipher.of([OLD]))
    assert await encrypt("clear", NEW) == "2 people decrypted, 0 left"
    assert await profiles.picture(name) == PICTURE.content


@CLEAR
async def test_a_profile_alone_under_an_unlisted_key_is_reported(
    profiles: Profiles, keyed: Callable[..., Profiles]
) -> None:
    """Red when only the keys of identities are looked at: the picture could never be shown."""
    await keyed(OLD, "clear").store(ANNA, "Anna", PICTURE, keep=False, at=NOW)
    with pytest.raises(ConfigError):
        await reencryption.check(profiles.database, profiles.identities.cipher)
    assert await reencryption.stale(profiles.database, profiles.identities.cipher) == 1
    with pytest.raises(StoreUnavailable, match="not listed"):
        await profiles.of([ANNA])


@CLEAR
async def test_a_rotation_does_not_undo_a_login(profiles: Profiles) -> None:
    """The row was changed after the rotation read it."""
    await named(profiles)
    async with profiles.database.reading() as connection:
        [row] = (await connection.execute(sa.select(table))).mappings()
    await profiles.store(ANNA, "Anna the Second", PICTURE, keep=False, at=NOW + timedelta(seconds=1))
    moved = await profiles.database.attempt(lambda it: reseal(it, row, FieldCipher.of([NEW])))
    assert (moved, (await shown(profiles)).nickname) == (0, "Anna the Second")


@pytest.mark.parametrize("identities", [(OLD,)], indirect=True, ids=["sealed"])
@pytest.mark.parametrize("column", ["nickname", "picture"])
async def test_an_encrypted_value_opens_in_its_own_row_alone(profiles: Profiles, column: str) -> None:
    await named(profiles)
    await profiles.store(BEN, "Ben", replace(PICTURE, content=b"\xff\xd8\xff Ben"), keep=False, at=NOW)
    async with profiles.database.writing() as connection:
        rows = (await connection.execute(sa.select(table).order_by(table.c.follower_id))).mappings().all()
        moved = {column: rows[1][column]}
        await connection.execute(sa.update(table).where(table.c.follower_id == rows[0].follower_id).values(moved))
    with pytest.raises(StoreUnavailable, match="cannot be decrypted"):
        await profiles.picture(rows[0].picture_name)
