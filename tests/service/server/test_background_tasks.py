"""Background work continues after a message or row that it cannot process."""

import asyncio
from pathlib import Path

import pytest
from harness import World

from models.events import OpenId
from service.app_keys import FEED
from service.crypto.field_encryption import FieldCipher
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.server import background_tasks
from service.server.app import utcnow
from service.storage import database
from service.tickets.store import CHANNEL
from service.wechat.answers import Refused, understood
from service.wechat.api import UserInfo


async def test_an_unreadable_message_does_not_end_the_feed(world: World) -> None:
    """Red when `Feed._receive` lets errors out."""
    page, person = await world.login(), await world.person()
    heard = world.app[FEED].connected
    for garbage in ("{", "[]", '{"id": "x", "version": 1, "status": "of a later version"}'):
        await world.redis.publish(CHANNEL, garbage)
    waiting = asyncio.create_task(page.until("confirmed"))
    await world.scan(person, page)
    assert (await waiting)["outcome"] == "register"
    assert heard.is_set()


async def test_background_work_that_fails_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `_kept_running` lets errors out."""
    monkeypatch.setattr(background_tasks, "AGAIN", 0.0)
    begun = 0
    done = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ZeroDivisionError
        done.set()
        await asyncio.Event().wait()

    async with background_tasks.beside([work]), asyncio.timeout(60):
        await done.wait()
    assert begun == 3


class Odd:
    """A WeChat that tells nonsense of the first person it is asked about."""

    def __init__(self) -> None:
        self.asked = 0

    async def user_info(self, openid: OpenId) -> UserInfo:
        self.asked += 1
        if self.asked == 1:
            raise ZeroDivisionError(openid)
        return UserInfo(subscribed=True, unionid="u", language=None)


async def test_nonsense_about_one_person_does_not_keep_the_others_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `FollowerRefresh._work` lets errors out."""
    monkeypatch.setattr("service.identities.follower_refresh._WORKERS", 1)
    async with database.connect("embedded", data_dir=tmp_path) as sql:
        followers = Followers(sql, Identities(FieldCipher.of([])))
        follower_refresh = FollowerRefresh(apis={"main": Odd()}, followers=followers, clock=utcnow)  # type: ignore[dict-item]  # a stand-in for WeChat
        for openid in (OpenId("first"), OpenId("second")):
            follower_refresh.refresh(await followers.seen(Sender("main", openid, utcnow())))
        running = asyncio.create_task(follower_refresh.run())
        async with asyncio.timeout(60):
            while (known := await followers.get("main", OpenId("second"))) is None or known.unionid is None:
                assert not running.done()
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_an_endless_errcode_is_no_answer() -> None:
    """Red when OverflowError is not among what `understood` expects."""
    with pytest.raises(Refused):
        understood(200, "application/json", b'{"errcode": 1e999}')
