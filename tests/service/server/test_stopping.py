"""Each step of a stop has a share of the time."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientError, ClientSession
from harness import ACCOUNT
from harness import world as make_world
from redis.asyncio import Redis

from models.events import OpenId, Scan
from service import app_keys
from service.server import stopping
from service.server.stopping import Step, Stop
from service.tickets.decisions import TicketDecisions


def dropped(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says was dropped."""
    lines = [one.message for one in caplog.records if one.name == "service.server.stopping"]
    return [line.removeprefix("stop: abandoned because it did not end in time: ") for line in lines]


async def test_a_request_that_never_ends_is_cancelled_and_named(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when `_finish` leaves the requests running that it no longer waits for."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    monkeypatch.setitem(stopping._SHARES, Step.REQUESTS, (0.2, 0.2))
    monkeypatch.setattr("handlers.health._PATIENCE", 600)
    async with asyncio.timeout(60), ClientSession() as http:
        async with make_world(redis_url, tmp_path) as world:
            monkeypatch.setitem(cast("dict[str, Any]", world.app[app_keys.CHECKS]), "redis", hang)
            asking = asyncio.create_task(http.get(f"{world.url}/readyz"))
            await begun.wait()
        await cancelled.wait()
        with pytest.raises(ClientError):
            await asking
    assert dropped(caplog) == [Step.REQUESTS]


async def test_a_push_whose_caller_gave_up_is_handled_before_the_stores_are_closed(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when the stop does not wait for `PushDispatcher.finish`."""
    confirm = TicketDecisions.confirm_arrival

    async def slow(*arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(0.5)
        return await confirm(*arguments, **options)

    monkeypatch.setattr(TicketDecisions, "confirm_arrival", slow)
    async with make_world(redis_url, tmp_path) as world:
        page, person = await world.login(), await world.person()
        scene, now = world.sandbox.code(page.made["qr_url"]).scene, int(world.clock.seconds())
        openid = OpenId(person.openid(ACCOUNT.appid))
        scan = Scan(openid, ACCOUNT.gh_id, now, key="scan", scene=scene, followed=False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await world.app[app_keys.PUSH_DISPATCHER].handle("main", scan)
    assert '"status":"confirmed"' in str(await redis.get(f"scanbind:t:{page.id}"))


async def test_the_time_of_steps_that_hang_is_not_added_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when each step counts its share from its own beginning: late steps would end after the deadline."""
    shares = {step: (0.1 * number, 60.0) for number, step in enumerate(Step, 1)}
    monkeypatch.setattr(stopping, "_SHARES", shares)
    monkeypatch.setattr(stopping, "_LET_GO", 0.0)
    waited: list[float] = []
    wait = asyncio.wait

    async def noted(tasks: Any, *, timeout: float) -> Any:  # noqa: ASYNC109 - as asyncio has it
        waited.append(timeout)
        return await wait(tasks, timeout=timeout)

    monkeypatch.setattr(asyncio, "wait", noted)
    stop = Stop()
    for step in Step:
        await stop.end(step, asyncio.Event().wait())
    assert sum(waited) <= 0.1 * len(Step)
    assert dropped(caplog) == list(Step)


async def test_what_a_step_raises_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Stop().end(Step.AUDIT, fail())
    assert dropped(caplog) == []


def test_all_shares_together_leave_time_to_exit() -> None:
    """contract.md 7: ten seconds in all, which `serving._LAST` ends by force."""
    from service.server import runner

    ends = [over_by for over_by, _ in stopping._SHARES.values()]
    assert list(stopping._SHARES) == list(Step)
    assert ends == sorted(ends)
    assert ends[-1] + stopping._LET_GO < runner._LAST < 10
