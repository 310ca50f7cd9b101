"""Events for webhooks keep no payload that names an erased person or user, once they are delivered.

Red when an erasure looks only at the person or user whom an event is about.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import MOVE, NOW, bind_in
from outgoing import SHOP, claimed, rows, settled, subscribed

from models.binding import ChangeSource, UserId
from models.events import OpenId
from models.outbox import State
from models.tables.outbox import outbox
from service.bindings import conflicts
from service.identities.followers import Authorized, Followers, Sender
from service.identities.repository import Identities
from service.privacy.erasure import Erased, forget_person, forget_user
from service.privacy.export import disclose, persons
from service.storage.database import Database

Erase = Callable[..., Awaitable[Erased]]


@pytest.fixture(autouse=True)
def _heard(identities: Identities) -> None:
    identities.outbox = subscribed(identities.cipher, shop=SHOP)


@pytest.fixture
def erase(database: Database, identities: Identities) -> Erase:
    async def run(*, user: str | None = None, openid: str | None = None, account: str = "main") -> Erased:
        how: dict[str, Any] = {"identities": identities, "now": NOW}
        if user:
            work = partial(forget_user, client="shop", user_id=UserId(user), **how)
        else:
            person = {"account": account, "openid": OpenId(openid or ""), "source": ChangeSource.PRIVACY}
            work = partial(forget_person, **person, **how)
        return await database.once(work)

    return run


async def bind(database: Database, identities: Identities, user: str, openid: str, **how: Any) -> None:
    """Bind a user to a WeChat that follows the account."""
    await Followers(database, identities).seen(Sender(how.get("account", "main"), OpenId(openid), NOW))
    await database.attempt(partial(bind_in, identities=identities, openid=openid, user_id=user, **how))


@pytest.fixture
async def conflict(database: Database, identities: Identities) -> None:
    """Two users who turned out to be one person, with all events delivered."""
    followers = Followers(database, identities, partial(conflicts.report, clock=lambda: NOW))
    for user, account, openid in (("42", "main", "oA"), ("43", "other", "oB")):
        await bind(database, identities, user, openid, account=account)
    for account, openid in (("main", "oA"), ("other", "oB")):
        await followers.seen(Authorized(account, OpenId(openid), unionid="u-anna"))
    await deliver(database)


async def deliver(database: Database) -> None:
    await database.attempt(lambda connection: connection.execute(sa.update(outbox).values(state=State.DELIVERED)))


async def kept(database: Database) -> list[str]:
    """Return the types of the delivered events that still have a payload."""
    found = await rows(database)
    return [row["event"] for row in found if row["payload"] and row["state"] is State.DELIVERED]


@pytest.mark.usefixtures("conflict")
@pytest.mark.parametrize(
    "whom",
    [{"openid": "oA"}, {"openid": "oB", "account": "other"}, {"user": "42"}, {"user": "43"}],
    ids=["one identity", "the other", "one user", "the other user"],
)
async def test_a_conflict_that_names_them_goes(database: Database, erase: Erase, whom: dict[str, Any]) -> None:
    assert await kept(database) == ["binding.created", "binding.created", "person.conflict"]
    await erase(**whom)
    assert await kept(database) == ["binding.created"]


async def test_a_move_that_names_the_user_before_goes(
    database: Database, identities: Identities, erase: Erase
) -> None:
    await bind(database, identities, "42", "oA")
    await bind(database, identities, "43", "oA", policy=MOVE)
    await bind(database, identities, "44", "oC")
    await deliver(database)
    erased = await erase(user="42")
    assert erased.unnamed["outbox"] == 2
    assert [row["event"] for row in await rows(database) if row["payload"]] == ["binding.created"]


async def test_events_of_others_stay(database: Database, identities: Identities, erase: Erase) -> None:
    for user, openid in (("42", "oA"), ("43", "oB")):
        await bind(database, identities, user, openid)
    await deliver(database)
    await erase(user="42")
    assert [row["user_id"] for row in await rows(database) if row["payload"]] == ["43", "42"]


async def test_an_event_that_is_pending_is_delivered_and_then_goes(
    database: Database, identities: Identities, erase: Erase
) -> None:
    await bind(database, identities, "42", "oA")
    await erase(openid="oA")
    later = NOW + timedelta(seconds=1)
    while messages := await claimed(database, identities.cipher, now=later):
        for message in messages:
            assert message.payload
            await settled(database, identities.cipher, message, answer=b"42")
    assert [(row["payload"], row["answer"], row["user_id"]) for row in await rows(database)] == [(None,) * 3] * 2


@pytest.mark.parametrize("whose", ["person", "user"])
async def test_an_export_has_the_events_with_what_was_sent(
    database: Database, identities: Identities, whose: str
) -> None:
    """Red when the export leaves the outbox out, or shows the events of others."""
    await bind(database, identities, "42", "oA")
    await bind(database, identities, "43", "oB")
    (anna,) = await database.read(
        partial(persons, identities=identities, openid=OpenId("oA"), account=None, user=None)
    )
    of = {"identities": [anna], "user": None} if whose == "person" else {"identities": [], "user": ("shop", "42")}
    told = await database.read(partial(disclose, cipher=identities.cipher, names=(), **of))
    ((event,),) = (told["webhooks"],)
    assert (event["event"], event["state"], event["client"]) == ("binding.created", "pending", "shop")
    assert event["payload"]["data"]["identity"]["openid"] == "oA"
