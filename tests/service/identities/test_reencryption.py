"""Encryption keys change under load, and no follower is lost, duplicated or left in the clear."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from models.binding import Policy, UserId
from models.errors import StoreUnavailable
from models.events import OpenId
from models.language import Lang
from models.method import Method
from models.scene import Claim, Kind, TicketHeader
from models.tables.identities import followers as table
from models.ticket import Ending, Outcome, TicketId
from service.bindings.repository import Bindings
from service.config.settings import ConfigError, Settings, validate
from service.crypto.field_encryption import FieldCipher
from service.identities import reencryption
from service.identities.followers import Followers, Sender
from service.identities.repository import NAMES, Identities
from service.privacy.erasure import FollowerErasure
from service.server.runner import opened
from service.storage.database import Database
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES = NOW + timedelta(minutes=5)
OLD, NEW = "an older key of thirty-two letters or so", "the newer key of thirty-two letters or so"
ANNA, BEN = OpenId("oCanaryAnna"), OpenId("oCanaryBen")
IDENTITIES = reencryption._ROWS[0]
STAYING = [OpenId(f"oCanaryStaying{number}") for number in range(6)]
TICKETS = count()
T = TypeVar("T")


class Process:
    """What one process of the service does to the database, with the keys that it was started with."""

    def __init__(self, database: Database, *keys: str) -> None:
        self.identities = Identities(FieldCipher.of(keys))
        self.followers = Followers(database, self.identities)
        self.bindings = Bindings(database, self.identities)
        endings = Endings(database, self.identities)
        self.decisions = TicketDecisions(database, self.identities, self.followers, endings)
        self.erasure = FollowerErasure(database, self.identities)

    async def confirm(self, openid: OpenId, user_id: str | None = None, *, account: str = "main") -> Ending | None:
        """Log in, or bind *user_id*, by a scan."""
        await self.followers.seen(Sender(account, openid, NOW))
        scanned = _claim(user_id, account=account)
        return await self.decisions.confirm(scanned, openid, policy=Policy(), state=None, now=NOW)

    async def follow(self, openid: OpenId) -> None:
        """Log in by the scan with which a newcomer follows the account."""
        newcomer = Sender("main", openid, NOW, followed=True)
        await self.decisions.confirm_arrival(_claim(), newcomer, policy=Policy(), state=None, now=NOW)

    async def scan(self, openid: OpenId) -> None:
        await self.followers.seen(Sender("main", openid, NOW))

    async def learned(self, openid: OpenId, unionid: str, *, account: str = "main") -> None:
        await self.followers.learned(account, openid, unionid=unionid, lang=None, asked_at=NOW)

    async def leave(self, openid: OpenId) -> None:
        await self.erasure.unfollowed("main", openid, at=NOW, erase=True, now=NOW)


def _claim(user_id: str | None = None, *, account: str = "main") -> Claim:
    kind = Kind.BIND if user_id else Kind.LOGIN_PAGE
    head = TicketHeader(TicketId(f"t{next(TICKETS)}"), Method.SCAN, kind, Lang.ZH, EXPIRES)
    return Claim(head=head, client="shop", account=account, user_id=UserId(user_id) if user_id else None)


@dataclass
class Town:
    """One database, and the settings that name it."""

    database: Database
    url: str
    data_dir: Path

    def settings(self, *keys: str) -> Settings:
        return validate(
            {
                "data_dir": str(self.data_dir),
                "database": {"url": self.url},
                "secret_key": "k" * 40,
                "encryption": {"keys": list(keys)},
            }
        )

    def process(self, *keys: str) -> Process:
        return Process(self.database, *keys)

    async def encrypt(self, *keys: str) -> str:
        return str(await reencryption.encrypt(self.settings(*keys)))

    async def names(self, identities: Identities) -> Counter[str]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(sa.select(*NAMES))).mappings().all()
        return Counter(person.openid for row in rows if (person := identities.read(row)))

    async def keys(self) -> set[str | None]:
        async with self.database.reading() as connection:
            return set(await connection.scalars(sa.select(table.c.sealed_by)))


@pytest.fixture
def town(database: Database, url: str, tmp_path: Path) -> Town:
    return Town(database, url, tmp_path)


async def test_encrypting_seals_every_follower_and_returns_their_number(
    town: Town, dump: Callable[[], Awaitable[str]]
) -> None:
    clear, keyed = town.process(), town.process(NEW)
    for number in range(5):
        await clear.confirm(OpenId(f"oCanary{number}"), str(number))
        await clear.learned(OpenId(f"oCanary{number}"), f"uCanary{number}")
    assert "oCanary" in await dump()
    assert await town.encrypt(NEW) == "5 people encrypted, 0 left"
    assert "Canary" not in await dump()
    assert await town.encrypt(NEW) == "0 people encrypted, 0 left"
    [bound] = await keyed.bindings.of_user("shop", UserId("3"))
    assert (bound.openid, bound.unionid) == ("oCanary3", "uCanary3")
    assert await town.encrypt("clear", NEW) == "5 people decrypted, 0 left"
    assert [it.openid for it in await clear.bindings.of_user("shop", UserId("3"))] == ["oCanary3"]


async def test_more_people_than_fit_one_transaction_are_all_sealed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reencryption, "_BATCH", 3)
    for number in range(8):
        await town.process().followers.seen(Sender("main", OpenId(f"o{number}"), NOW))
    assert await town.encrypt(NEW) == "8 people encrypted, 0 left"


async def test_an_old_key_may_be_removed_once_every_row_is_under_the_new_one(town: Town) -> None:
    await town.process(OLD).confirm(ANNA, "42")
    await town.process(OLD).learned(ANNA, "uAnna")
    assert await town.encrypt(NEW, OLD) == "1 people encrypted, 0 left"
    assert await town.keys() == {FieldCipher.of([NEW]).newest}
    ending = await town.process(NEW).confirm(ANNA)
    assert ending is not None
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, "42")


@pytest.mark.parametrize("keys", [[], [NEW], ["clear"]])
async def test_without_a_key_that_rows_are_sealed_with_nothing_starts(town: Town, keys: list[str]) -> None:
    """Red when `_generation` of service/server/app.py does not check."""
    await town.process(OLD).confirm(ANNA, "42")
    fault = "encryption.keys: the database has rows encrypted with a key that is not listed; add it"
    with pytest.raises(ConfigError) as refused:
        async with opened(town.settings(*keys)):
            pass
    assert refused.value.faults == [fault]
    with pytest.raises(ConfigError):
        await town.encrypt(*keys)
    async with opened(town.settings(NEW, OLD)):
        pass


async def test_a_tampered_row_is_not_returned(town: Town) -> None:
    process = town.process(NEW)
    await process.confirm(ANNA, "42")
    await process.confirm(BEN, "43")
    async with town.database.writing() as connection:
        query = sa.select(table.c.openid_sealed).order_by(table.c.id)
        anna, ben = (await connection.scalars(query)).all()
        await connection.execute(sa.update(table).where(table.c.openid_sealed == ben).values(openid_sealed=anna))
    with pytest.raises(StoreUnavailable, match=r"encryption.keys: an encrypted row was changed"):
        await process.bindings.of_user("shop", UserId("43"))


@pytest.mark.parametrize(("bound_by", "other_by"), [(OLD, NEW), (NEW, OLD)])
async def test_a_unionid_leads_to_the_same_user_while_rows_stand_under_different_keys(
    town: Town, bound_by: str, other_by: str
) -> None:
    """Red when `with_unionid` looks for the newest form alone."""
    await town.process(bound_by).confirm(ANNA, "42")
    await town.process(bound_by).learned(ANNA, "uCanary")
    process = town.process(other_by, bound_by)
    await process.followers.seen(Sender("second", BEN, NOW))
    await process.learned(BEN, "uCanary", account="second")
    assert len(await town.keys()) == 2
    ending = await process.confirm(BEN, account="second")
    assert ending is not None
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, "42")


async def test_what_a_service_writes_while_a_row_is_being_sealed_stands(town: Town) -> None:
    """Red when `_move` does not look whether the row still is what was read."""
    process = town.process(OLD)
    await process.followers.seen(Sender("main", ANNA, NOW))
    [row] = await reencryption._batch(town.database, FieldCipher.of([OLD]).newest, IDENTITIES, after=0)
    await process.learned(ANNA, "uAnna")
    newer = FieldCipher.of([NEW, OLD])
    assert await town.database.attempt(lambda connection: IDENTITIES.move(connection, row, newer)) == 0
    known = await process.followers.get("main", ANNA)
    assert known is not None
    assert known.unionid == "uAnna"
    assert await town.encrypt(NEW, OLD) == "1 people encrypted, 0 left"


async def test_who_stands_twice_is_left_and_does_not_keep_the_others_from_being_sealed(town: Town) -> None:
    await town.process(NEW).followers.seen(Sender("main", ANNA, NOW))
    for openid in (ANNA, BEN):
        await town.process().followers.seen(Sender("main", openid, NOW))
    assert await town.encrypt(NEW) == "1 people encrypted, 1 left"


async def test_a_row_that_was_changed_is_left_and_does_not_keep_the_others_from_being_sealed(town: Town) -> None:
    """Red when `_move` gives up at what cannot be opened."""
    for openid in (ANNA, BEN):
        await town.process(OLD).followers.seen(Sender("main", openid, NOW))
    theirs = table.c.id == await _first(town)
    async with town.database.writing() as connection:
        await connection.execute(sa.update(table).where(theirs).values(openid_sealed="AQ"))
    assert await town.encrypt(NEW, OLD) == "1 people encrypted, 1 left"


async def _first(town: Town) -> int | None:
    async with town.database.reading() as connection:
        return await connection.scalar(sa.select(sa.func.min(table.c.id)))


PAIRS = pytest.mark.parametrize(
    "pair", [(("clear", NEW), (NEW,)), ((OLD, NEW), (NEW, OLD))], ids=["turning on", "changing the key"]
)


@PAIRS
@pytest.mark.parametrize("add", [Process.scan, Process.follow], ids=["by a scan", "by following"])
async def test_two_processes_that_add_one_person_at_once_make_one_follower(
    town: Town, pair: tuple[tuple[str, ...], tuple[str, ...]], add: Callable[[Process, OpenId], Awaitable[None]]
) -> None:
    """Red when a person is inserted under the newest key at once, or other forms are not looked for then."""
    processes = [town.process(*keys) for keys in pair]
    newcomers = [OpenId(f"oNew{number}") for number in range(20)]
    for openid in newcomers:
        await asyncio.gather(*(add(process, openid) for process in processes * 2))
    assert await town.names(processes[0].identities) == Counter(newcomers)


@PAIRS
async def test_keys_change_under_load_and_no_follower_is_lost_duplicated_or_mixed_up(
    town: Town, pair: tuple[tuple[str, ...], tuple[str, ...]], dump: Callable[[], Awaitable[str]]
) -> None:
    """Red when `Identities.them` asks for the newest form alone."""
    processes = [town.process(*keys) for keys in pair]
    for number, openid in enumerate(STAYING):
        await processes[0].confirm(openid, str(number))
    turns = iter_turns(processes)
    busy = asyncio.Event()

    async def log_in() -> None:
        for number, openid in [*enumerate(STAYING)] * 4:
            ending = await repeated(next(turns).confirm, openid)
            assert ending is not None, "a person who never unsubscribed was erased"
            assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, str(number))
            await repeated(next(turns).learned, openid, f"uCanary{number}")

    async def come_and_go(openid: OpenId) -> None:
        for _ in range(6):
            bound = await repeated(next(turns).confirm, openid, openid)
            assert bound is not None
            assert bound.outcome in (Outcome.BOUND, Outcome.ALREADY_BOUND)
            await repeated(next(turns).leave, openid)
            assert await repeated(next(turns).followers.get, "main", openid) is None
            assert await repeated(next(turns).bindings.of_user, "shop", UserId(openid)) == []

    async def seal() -> None:
        while not busy.is_set():  # there and back again, as long as the others are at it
            for keys in pair:
                await repeated(town.encrypt, *keys)

    sealing_ = asyncio.create_task(seal())
    try:
        await asyncio.gather(log_in(), come_and_go(OpenId("oCanaryX")), come_and_go(OpenId("oCanaryY")))
    finally:
        busy.set()  # a driver may swallow a cancellation, so `seal` must end by itself
        await sealing_

    assert (await town.encrypt(*pair[1])).endswith(", 0 left")
    only = town.process(NEW)
    assert await town.keys() == {FieldCipher.of([NEW]).newest}
    assert await town.names(only.identities) == Counter(STAYING)
    for number, openid in enumerate(STAYING):
        assert [it.openid for it in await only.bindings.of_user("shop", UserId(str(number)))] == [openid]
    kept = await dump()
    assert "uCanary" not in kept
    assert "oCanaryStaying" not in kept


async def repeated(work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Do what WeChat and operators do when a store does not answer in time: repeat it."""
    for _ in range(20):
        with suppress(StoreUnavailable):
            return await work(*arguments)
    return await work(*arguments)


def iter_turns(processes: list[Process]) -> Iterator[Process]:
    return (processes[number % len(processes)] for number in count())
