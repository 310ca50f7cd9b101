"""Rows of an earlier version are completed now and every hour, and soon again if a step fails.

Red when `run` ends at a failure, waits an hour after it or leaves out the steps after it, or when `steps` leaves
out an account or app.
"""

import asyncio
import logging

import pytest

from models.errors import StoreUnavailable
from service.crypto.field_encryption import FieldCipher
from service.identities import upkeep
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import Database


async def test_an_unreachable_database_is_tried_again_and_stops_no_other_step(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upkeep, "_AGAIN", 0.001)
    rounds, twice = list[str](), asyncio.Event()

    async def away() -> int:
        raise StoreUnavailable("the database does not answer")

    async def works() -> int:
        rounds.append("")
        if len(rounds) == 2:
            twice.set()
        return 7

    with caplog.at_level(logging.INFO):
        running = asyncio.create_task(upkeep.run({"the first": away, "the second": works}))
        async with asyncio.timeout(10):
            await twice.wait()
        running.cancel()
    assert caplog.messages[:2] == [
        "upkeep: cannot store the first, retrying in a minute: StoreUnavailable",
        "upkeep: stored the second with 7 earlier followers",
    ]


async def test_each_account_has_its_steps_and_an_app_that_joins_nothing_has_none(database: Database) -> None:
    places = {"main": "", "site": "acme", "alone": None}
    identities = Identities(FieldCipher.of([]), {"main": "wxMain"}, places)
    assert list(upkeep.steps(Followers(database, identities))) == [
        "the appid of account main",
        "the persons of main",
        "the persons of site",
        "the persons of accounts no longer configured",
    ]
