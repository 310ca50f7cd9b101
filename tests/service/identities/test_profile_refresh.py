"""At a login the name follows WeChat's at once, and the picture is fetched when its address is new.

Red when a picture is fetched again without need, when a failure deletes the stored one, or when a store that is
away costs the login.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from picture_files import SVG, halves, read, written
from picture_server import PATH, PICTURE, Server, downloading, ok, saying, serving

from models.events import OpenId
from models.profile import Profile
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Authorized, Followers
from service.identities.picture_encoding import open_picture_encoding
from service.identities.profile_refresh import ProfileRefresh
from service.identities.profiles import Profiles
from service.identities.repository import Identities
from service.storage.database import Database
from service.wechat.web_authorization import WebProfile

ANNA = ("site", OpenId("oAnna"))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@dataclass
class Town:
    """A person who signed in, and a server of pictures."""

    refresh: ProfileRefresh
    server: Server

    async def login(self, nickname: str | None = "Anna", path: str | None = PATH) -> Profile:
        """Refresh what is known of the person, whose picture is at *path*; return it."""
        await self.refresh.refresh(ANNA, WebProfile(None, nickname, self.server.base + path if path else None))
        return (await self.refresh.profiles.of([ANNA]))[ANNA]

    async def picture(self, profile: Profile) -> bytes | None:
        return await self.refresh.profiles.picture(profile.picture or "")


@pytest.fixture
async def town(database: Database) -> AsyncIterator[Town]:
    identities = Identities(FieldCipher.of(()))
    await Followers(database, identities).seen(Authorized(*ANNA, unionid=None))
    async with downloading() as download, serving(ok(PICTURE)) as server:
        with open_picture_encoding() as encoding:
            refresh = ProfileRefresh(
                profiles=Profiles(database=database, identities=identities, showing=()),
                download=download,
                encoding=replace(encoding, time_limit=30),
                api_bases={"site": server.base},
                clock=lambda: NOW,
            )
            yield Town(refresh, server)


async def test_the_picture_is_encoded_again(town: Town) -> None:
    profile = await town.login()
    kept = read(await town.picture(profile) or b"")
    assert (profile.nickname, kept.format, kept.size) == ("Anna", "JPEG", (132, 66))


async def test_an_address_that_is_known_is_not_fetched_again(town: Town) -> None:
    first = await town.login()
    second = await town.login("Anna the Second")
    assert (second.nickname, second.picture) == ("Anna the Second", first.picture)
    assert len(town.server.asked) == 1


async def test_a_new_address_brings_the_new_picture(town: Town) -> None:
    first = await town.login()
    town.server.script = ok(written(halves((50, 50))))
    second = await town.login(path=PATH + "/new")
    assert second.picture != first.picture
    assert read(await town.picture(second) or b"").size == (50, 50)


@pytest.mark.parametrize(
    "script",
    [saying("HTTP/1.1 404 Not Found\nContent-Length: 0"), ok(SVG), ok(b"")],
    ids=["gone", "no picture", "empty"],
)
async def test_what_cannot_be_had_leaves_the_stored_picture_and_is_tried_again(town: Town, script: object) -> None:
    first = await town.login()
    town.server.script = script  # type: ignore[assignment]
    second = await town.login("Anna the Second", PATH + "/new")
    assert (second.nickname, second.picture) == ("Anna the Second", first.picture)
    town.server.script = ok(PICTURE)
    assert (await town.login(path=PATH + "/new")).picture != first.picture


async def test_a_person_who_removed_the_picture_has_none(town: Town) -> None:
    first = await town.login()
    assert await town.login(path=None) == Profile("Anna", None)
    assert await town.picture(first) is None


@pytest.mark.parametrize("nickname", [None, "", "\u202e\n", "\u2800"])
async def test_a_name_without_anything_to_read_is_empty(town: Town, nickname: str | None) -> None:
    assert (await town.login(nickname)).nickname == ""


async def test_a_store_that_is_away_costs_no_login(
    town: Town, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.attempt(lambda connection: connection.exec_driver_sql("DROP TABLE profiles"))
    with caplog.at_level(logging.WARNING):
        await town.refresh.refresh(ANNA, WebProfile(None, "canary", None))
    [record] = caplog.records
    assert "canary" not in record.getMessage()
    assert record.getMessage().startswith("profiles: cannot store a name and picture")
