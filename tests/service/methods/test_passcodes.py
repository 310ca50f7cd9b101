"""Passcodes are distinct while they last, and no store shows them.

Red when `PasscodeIndex.claim` looks before it inserts or stores only one generation, when `TicketFactory.make`
gives up after one draw, when a passcode is stored in the clear, and when `shown` names another account or one that
the client has no more.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from harness import ACCOUNT, SECOND, World, client, problem
from hypothesis import given
from hypothesis import strategies as st

from models.errors import StoreUnavailable
from models.method import Method
from models.passcode import ALPHABET, read_passcode
from models.scene import Kind, Scene
from models.scene import make as signed
from models.tables.columns import metadata
from service.app_keys import TICKET_ISSUER
from service.crypto.keyring import Keyring
from service.methods.passcodes import PasscodeIndex
from service.storage.database import Database, connect
from service.tickets.method import Shown, Taken

Make = Callable[..., Any]
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
OLD, NEW = "o" * 40, "n" * 40


def ticket(number: int, *, client: str = "shop", until: datetime = NOW + timedelta(minutes=5)) -> Scene:
    return signed(
        method=Method.PASSCODE,
        kind=Kind.LOGIN_PAGE,
        lang=None,
        expires_at=until,
        nonce=f"{number:08d}".ljust(16, "0"),
        client=client,
        account="main",
        key=b"k" * 32,
    )


def index(database: Database, *secret_keys: str) -> PasscodeIndex:
    return PasscodeIndex(database=database, keyring=Keyring.derive(secret_keys, ["shop"]))


async def test_of_many_tickets_at_once_one_gets_a_passcode(database: Database) -> None:
    here = index(database, NEW)
    claims = [here.claim("main", "K7MP2QXR", ticket(number).head) for number in range(12)]
    claimed = await asyncio.gather(*claims)
    assert sum(claimed) == 1
    assert await here.find("main", "K7MP2QXR") == Scene(ticket(claimed.index(True)).head)
    assert await here.find("main", "K7MP2QXS") is None
    assert await here.find("second", "K7MP2QXR") is None, "each account has its own"


@pytest.mark.parametrize("first", ["before", "after"])
async def test_a_rotation_gives_no_passcode_to_two_tickets(database: Database, first: str) -> None:
    before, after = index(database, OLD), index(database, NEW, OLD)
    one, other = (before, after) if first == "before" else (after, before)
    assert await one.claim("main", "K7MP2QXR", ticket(1).head)
    assert not await other.claim("main", "K7MP2QXR", ticket(2).head)
    for each in (before, after):
        assert await each.find("main", "K7MP2QXR") == Scene(ticket(1).head)
    if first == "after":
        assert await index(database, NEW).find("main", "K7MP2QXR") == Scene(ticket(1).head)


async def test_a_refused_claim_keeps_no_row(database: Database) -> None:
    """Red when the rows of a claim are not written in one transaction."""
    assert await index(database, OLD).claim("main", "K7MP2QXR", ticket(1).head)
    assert not await index(database, NEW, OLD).claim("main", "K7MP2QXR", ticket(2).head)
    assert await index(database, NEW).claim("main", "K7MP2QXR", ticket(3).head)


async def test_what_expired_is_purged_and_its_passcode_free_again(database: Database) -> None:
    here = index(database, NEW, OLD)
    await here.claim("main", "K7MP2QXR", ticket(1).head)
    assert await here.purge(NOW + timedelta(minutes=5)) == 0
    assert await here.purge(NOW + timedelta(minutes=5, seconds=1)) == 2
    assert await here.claim("main", "K7MP2QXR", ticket(2).head)


@given(st.sets(st.integers(0, 10**8 - 1), min_size=2, max_size=50))
def test_passcodes_follow_from_the_ticket_and_the_key(numbers: set[int]) -> None:
    keys = Keyring.derive((NEW,), ["shop", "club"])
    shop, club = keys.newest("shop"), keys.newest("club")
    drawn = [shop.passcode(ticket(number).head.ticket) for number in sorted(numbers)]
    assert drawn == [shop.passcode(ticket(number).head.ticket) for number in sorted(numbers)]
    assert len(set(drawn)) == len(drawn), "a collision among 50 of 40 bits is less likely than a broken machine"
    assert not set(drawn) & {club.passcode(ticket(number).head.ticket) for number in numbers}


class _Scarce:
    """A method whose first draws belong to other tickets."""

    needs = "nothing"

    def __init__(self, taken: int) -> None:
        self.taken, self.drawn = taken, list[str]()

    def can_use(self, account: str) -> bool:
        return True

    async def show(self, scene: Scene, *_: Any, **__: Any) -> Shown:
        self.drawn.append(scene.head.ticket)
        if len(self.drawn) <= self.taken:
            raise Taken
        return Shown(qr_url="https://shown.example")

    def shown(self, *_: Any, **__: Any) -> Shown:
        return Shown()


async def drawing(world: World, method: _Scarce) -> Shown:
    factory = replace(world.app[TICKET_ISSUER].factory, methods={Method.PASSCODE: method})

    async def meanwhile(_: object) -> None:
        pass

    how = {"method": Method.PASSCODE, "account": "main", "kind": Kind.LOGIN_PAGE, "lang": None}
    return (await factory.make("shop", meanwhile=meanwhile, **how)).shown


async def test_a_ticket_whose_passcode_is_taken_is_drawn_again(make: Make) -> None:
    world, method = await make(), _Scarce(taken=3)
    assert await drawing(world, method) == Shown(qr_url="https://shown.example")
    assert len(set(method.drawn)) == 4
    with pytest.raises(StoreUnavailable):
        await drawing(world, _Scarce(taken=4))


async def stored(world: World) -> str:
    """Return all that Redis and SQL contain."""
    found: list[object] = []
    for key in await world.redis.keys("*"):
        kind = await world.redis.type(key)
        found += [key, await world.redis.get(key) if kind == "string" else kind]
    async with connect(str(world.settings.database.url), data_dir=world.settings.data_dir) as database:
        for table in metadata.sorted_tables:
            rows = await database.read(lambda connection, it=table: connection.execute(sa.select(it)).all())
            found += [value for row in rows for value in row]
    return "\n".join(map(str, found))


async def test_no_store_shows_a_passcode(make: Make) -> None:
    world = await make(clients={"shop": client("shop", methods=["passcode"], confirm="match")})
    pages = [await world.login(), await world.bind("42", session="s")]
    shown = [str(page.made["passcode"]) for page in pages]
    await world.say(await world.person(), shown[0])
    kept = re.sub(r"[\s-]", "", await stored(world)).upper()
    assert pages[0].id.upper().replace("-", "") in kept, "the tickets are there"
    for code in shown:
        assert code.replace(" ", "") not in kept
    assert len({read_passcode(code) for code in shown}) == 2


async def test_a_page_shows_the_passcode_and_where_to_send_it(make: Make, tmp_path: Path) -> None:
    picture = tmp_path / "own.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n and so on")
    about = {"name": {"zh": "示例公众号", "en": "Example account"}, "picture": str(picture)}
    world = await make(accounts={"main": about}, clients={"shop": client("shop", methods=["passcode"], lang="zh")})
    page = await world.login(lang="en")
    assert re.fullmatch(f"[{ALPHABET}]{{4}} [{ALPHABET}]{{4}}", page.made["passcode"])
    assert page.made["send_to"] == {"name": "Example account", "qr_png": "/v1/accounts/main/picture"}
    assert (page.made["qr_url"], page.made["qr_png"], page.made["authorize_url"]) == (None, None, None)
    assert (await world.login()).made["send_to"]["name"] == "示例公众号"
    again = await (await page.raw(suffix="/code")).json()
    assert (again["passcode"], again["send_to"]) == (page.made["passcode"], page.made["send_to"])


async def test_an_account_without_a_picture_has_its_name_alone(make: Make) -> None:
    world = await make(clients={"shop": client("shop", methods=["passcode"])})
    assert (await world.login()).made["send_to"] == {"name": "main", "qr_png": None}


async def test_a_bind_of_the_same_session_shows_the_same_passcode(make: Make) -> None:
    world = await make(clients={"shop": client("shop", methods=["passcode"])})
    one, other = [await world.bind("42", session="s") for _ in range(2)]
    assert (one.id, one.made["passcode"]) == (other.id, other.made["passcode"])
    fresh = await world.bind("42", session="s", refresh=True)
    assert fresh.made["passcode"] != one.made["passcode"]


async def test_a_passcode_takes_the_place_of_a_code_that_wechat_does_not_make(make: Make) -> None:
    world = await make(
        official={"main": replace(ACCOUNT, verified=False)},
        clients={"shop": client("shop", methods=["scan", "passcode"])},
    )
    page = await world.login()
    assert (page.made["method"], page.made["qr_url"]) == ("passcode", None)
    assert page.made["passcode"]


async def test_an_account_that_was_taken_out_of_the_configuration_shows_nothing_more(make: Make) -> None:
    """Red when `TicketFactory.shown` does not look whether the client still has the account."""
    shop = client("shop", methods=["passcode"], accounts=["second", "main"])
    world = await make(official={"main": ACCOUNT, "second": SECOND}, clients={"shop": shop})
    page = await world.bind("42", session="s")
    after = replace(page, world=await make(clients={"shop": shop | {"accounts": ["main"]}}))
    await problem(await after.raw(suffix="/code"), 404, "not-found")
    fresh = await after.world.bind("42", session="s")
    assert (fresh.id != page.id, fresh.made["account"]) == (True, "main")
    assert (await after.poll())["status"] == "cancelled"
