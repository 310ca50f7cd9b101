"""A reload: what stays goes on, what is removed ends at once, and a start that fails changes nothing.

Covers: service.server.resources.
"""

import asyncio
import weakref
from typing import Any, cast

import pytest
from harness import ORIGIN, World, basic, client, problem
from holding import Held
from hooked import SECRET, shown, webhook
from portal_client import visit
from streams import block, event, stream
from webhook_receiver import receiving

from handlers.tickets.answers import answer_of, view_of
from handlers.tickets.notes import leave
from models.errors import StoreUnavailable
from models.scene import read_ticket
from service import app_keys
from service.config.settings import ConfigError
from service.server import app as service_app
from service.server import stopping
from service.server.stopping import Step
from service.wechat.api import WeChatApi

SHOP, CLUB = client("shop", confirm="choose"), client("club")


@pytest.fixture
async def asking(make: Any) -> World:
    started: World = await make(clients={"shop": SHOP, "club": CLUB})
    return started


async def test_new_clients_work_and_removed_ones_do_not(make: Any) -> None:
    world: World = await make(clients={"shop": SHOP})
    page = await world.login()
    assert (await page.raw()).status == (await page.raw()).status == 200  # the second is a repeated poll
    await world.reload(clients={"club": CLUB})
    await problem(await page.raw(), 404, "ticket-not-found")
    await problem(await world.call("GET", "/v1/bindings/1", headers=basic("shop")), 401, "unauthorized")
    assert (await (await world.login(client="club")).poll())["status"] == "pending"


async def test_a_stream_goes_on_with_the_new_settings(asking: World) -> None:
    """Red when a stream keeps the `confirm` that it began with: the page would show no number to type."""
    page, person = await asking.login(client="club"), await asking.person()
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        await asking.reload(clients={"shop": SHOP, "club": client("club", confirm="match")})
        await asking.scan(person, page)
        seen = await event(response)
        assert (seen["data"]["status"], len(seen["data"]["match"])) == ("scanned", 2)
        await asking.reload(clients={"shop": SHOP, "club": client("club", confirm="match", lang="zh")})
        await asking.say(person, seen["data"]["match"])
        assert (await event(response))["data"]["status"] == "confirmed"
        assert await block(response) == ""


REMOVALS = {
    "the client": {"clients": {"club": CLUB}},
    "the method": {"clients": {"shop": {**SHOP, "methods": ["link"]}, "club": CLUB}},
    "the origin": {"clients": {"shop": {**SHOP, "origins": ["https://new.example"]}, "club": CLUB}},
    "the key": {"secret_key": "n" * 40},
}


@pytest.mark.parametrize("removed", REMOVALS.values(), ids=REMOVALS)
async def test_a_stream_ends_at_once_when_what_it_needs_is_removed(make: Any, removed: dict[str, Any]) -> None:
    world: World = await make(clients={"shop": SHOP, "club": CLUB}, accounts={"main": {"oauth": "base"}})
    page = await world.login()
    address = f"{world.url}/v1/tickets/{page.id}/events"
    async with world.http.get(address, headers={**page.bearer, "Origin": ORIGIN}) as response:
        assert (await event(response))["data"]["status"] == "pending"
        await world.reload(**removed)
        async with asyncio.timeout(5):  # the next heartbeat would be later
            while await block(response):
                pass


async def test_a_stream_of_a_site_that_lists_no_origins_goes_on(asking: World) -> None:
    """Red when an origin that was never listed ends the stream: it could not be read across origins anyway."""
    page = await asking.login()
    address = f"{asking.url}/v1/tickets/{page.id}/events"
    async with asking.http.get(address, headers={**page.bearer, "Origin": "https://other.example"}) as response:
        assert (await event(response))["data"]["status"] == "pending"
        await asking.reload(clients={"shop": {**SHOP, "lang": "zh"}, "club": CLUB})
        assert (await page.raw("DELETE")).status == 204
        assert (await event(response))["data"]["status"] == "cancelled"


async def test_a_long_poll_is_answered_and_goes_on_in_the_new_generation(asking: World) -> None:
    page = await asking.login()
    tag = (await page.raw()).headers["ETag"]
    waiting = asyncio.create_task(page.raw(If_None_Match=tag, Prefer="wait=30"))
    while not asking.app[app_keys.FEED].waiting:
        await asyncio.sleep(0.01)
    await asking.reload(clients={"shop": {**SHOP, "lang": "zh"}, "club": CLUB})
    async with asyncio.timeout(5):
        assert (await waiting).status == 304
    again = asyncio.create_task(page.raw(If_None_Match=tag, Prefer="wait=30"))
    while not asking.app[app_keys.FEED].waiting:
        await asyncio.sleep(0.01)
    assert (await page.raw("DELETE")).status == 204
    async with asyncio.timeout(5):
        assert (await again).status == 200


async def test_the_scan_of_a_removed_method_changes_nothing(make: Any) -> None:
    both = {**SHOP, "methods": ["scan", "link"]}
    world: World = await make(clients={"shop": both}, accounts={"main": {"oauth": "base"}})
    page, person = await world.login(), await world.person()
    await world.reload(clients={"shop": {**both, "methods": ["link"]}})
    assert "no longer valid" in (await world.scan(person, page) or "")
    await problem(await page.raw(), 404, "ticket-not-found")
    await world.reload(clients={"shop": both})
    assert (await page.poll())["status"] == "pending"


async def test_the_portal_leads_to_no_removed_origin(asking: World) -> None:
    visited = await visit(asking, return_url=f"{ORIGIN}/settings")
    await asking.reload(clients={"shop": {**SHOP, "origins": ["https://new.example"]}})
    assert (await visited.view())["return_url"] is None


async def test_a_request_ends_with_the_settings_it_began_with(
    asking: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when a reload waits for open requests, closes what they use, or makes the process look unready."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await go_on.wait()

    old = asking.app
    monkeypatch.setitem(cast("dict[str, Any]", old[app_keys.CHECKS]), "redis", hang)
    monkeypatch.setattr("handlers.health._PATIENCE", 60)
    waiting = asyncio.create_task(asking.call("GET", "/readyz"))
    await begun.wait()
    await asking.reload(clients={"shop": {**SHOP, "lang": "zh"}, "club": CLUB})
    assert asking.app is not old
    assert (await asking.call("GET", "/readyz")).status == 200
    go_on.set()
    assert (await waiting).status == 200
    async with asyncio.timeout(30):
        while not all(task.done() for task in old[service_app.TASKS]):
            await asyncio.sleep(0.01)


async def test_two_reloads_in_a_row_leave_one_generation(asking: World) -> None:
    first = asking.app
    for lang in ("zh", "en", "zh"):
        await asking.reload(clients={"shop": {**SHOP, "lang": lang}, "club": CLUB})
    assert all(task.done() for task in first[service_app.TASKS])
    assert not any(task.done() for task in asking.app[service_app.TASKS])
    assert (await asking.call("GET", "/readyz")).status == 200


async def test_what_a_poll_of_the_former_generation_left_answers_none(make: Any) -> None:
    """Red when a poll that was under way during the reload lets the next ones read a removed client's ticket."""
    world: World = await make(clients={"shop": SHOP})
    page, former = await world.login(), world.app
    await world.reload(clients={"club": CLUB})
    head = read_ticket(page.id)
    assert head
    ticket = await former[app_keys.TICKET_STATUS].read(head)
    keys = former[app_keys.KEYRING].newest("shop")
    leave(former, ticket, (head, keys), answer_of(view_of(former, (head, keys), ticket)))
    await problem(await page.raw(), 404, "ticket-not-found")


async def test_a_stream_keeps_no_former_generation_open(asking: World) -> None:
    """Red when the stream counts as an open request, for which the former generation would wait."""
    former = asking.app
    async with stream(await asking.login()) as response:
        await event(response)
        await asking.reload(clients={"shop": {**SHOP, "lang": "zh"}, "club": CLUB})
        async with asyncio.timeout(4):  # less than the wait for open requests
            await former[app_keys.OPEN_REQUESTS].none_left()


async def test_a_start_that_fails_changes_nothing(asking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when the new generation answers before it has started, or the old one is closed before."""
    page, before = await asking.login(), asking.app

    async def refuse(*_: Any) -> None:
        raise StoreUnavailable("the database does not answer")

    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        with monkeypatch.context() as broken:
            broken.setattr(service_app.reencryption, "check", refuse)
            with pytest.raises(StoreUnavailable):
                await asking.reload(clients={"club": CLUB})
        assert asking.app is before
        assert (await page.raw("DELETE")).status == 204
        assert (await event(response))["data"]["status"] == "cancelled"
    assert (await asking.call("GET", "/readyz")).status == 200


async def test_encryption_keys_that_open_no_rows_are_refused(make: Any) -> None:
    first, other = "A" * 42 + "E", "B" * 42 + "E"
    world: World = await make(clients={"shop": client("shop")}, encryption={"keys": [first]})
    await world.bound("42")
    with pytest.raises(ConfigError) as refused:
        await world.reload(encryption={"keys": [other]})
    assert refused.value.faults[0].startswith("encryption.keys: ")
    await world.reload(encryption={"keys": [other, first]})
    assert len(await world.bindings("42")) == 1


async def test_limits_apply_to_new_waits(asking: World) -> None:
    page = await asking.login()
    async with stream(page) as response:
        await event(response)
        await asking.reload(limits={"waiting": 1})
        await problem(await page.raw(suffix="/events"), 429, "rate-limited")
        await asking.reload(limits={"waiting": 2})
        async with stream(page) as other:
            assert (await event(other))["data"]["status"] == "pending"


async def test_a_new_webhook_hears_of_the_next_change_at_once(make: Any) -> None:
    """Red when commits go on waking the sender of the former generation, whose task has ended."""
    world: World = await make(clients={"shop": client("shop")})
    async with receiving(SECRET) as receiver:
        await world.reload(clients={"shop": client("shop", webhooks=[webhook(receiver)])})
        await world.bound("42")
        assert shown(await receiver.wait_for(1)) == [("binding.created", "42")]
        sender = world.app[app_keys.SENDER]
        assert sender.database.on_commit == sender.outbox.committed
        await world.reload(clients={"shop": client("shop")})
        await world.bound("43")
        await world.reload(clients={"shop": client("shop", webhooks=[webhook(receiver)])})
        await world.bound("44")
        assert shown(await receiver.wait_for(2))[1:] == [("binding.created", "44")]


async def test_pushes_are_verified_with_the_new_token(asking: World) -> None:
    person, page = await asking.person(), await asking.login()
    account = asking.sandbox.accounts[0]
    config = {"appid": account.appid, "secret": account.secret, "aes_key": account.aes_key}
    await asking.reload(accounts={"main": {**config, "token": "anothertoken", "api_base": asking.wechat}})
    assert await asking.scan(person, page) is None  # the sandbox signs with the former token
    await asking.reload(accounts={"main": {**config, "token": account.token, "api_base": asking.wechat}})
    assert await asking.scan(person, page)


async def test_a_slow_request_keeps_what_it_uses(
    make: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when a former generation gets no more time than a stop has: WeChat may take longer to answer."""
    monkeypatch.setitem(stopping._SHARES, Step.REQUESTS, (0.1, 0.1))
    world: World = await make(clients={"shop": client("shop", access_token=["main"])})
    held = Held(monkeypatch, WeChatApi, "access_token")
    waiting = asyncio.create_task(world.site("GET", "/v1/accounts/main/access-token"))
    await held.reached()
    await world.reload(clients={"shop": client("shop")})
    again = asyncio.create_task(world.reload(clients={"shop": client("shop", lang="zh")}))
    ended, _ = await asyncio.wait({again}, timeout=0.5)
    assert not ended  # a third generation waits for the first to close
    held.release()
    assert (await waiting).status == 200
    await again
    assert not caplog.records


async def test_a_reload_during_the_stop_answers_all_that_wait(asking: World) -> None:
    """Red when the new generation waits: the feed is closed, so it would read again and again."""
    page = await asking.login()
    tag = (await page.raw()).headers["ETag"]
    asking.service.generations.drain()
    await asking.reload(clients={"shop": {**SHOP, "lang": "zh"}, "club": CLUB})
    async with asyncio.timeout(5):
        assert (await page.raw(If_None_Match=tag, Prefer="wait=30")).status == 304
    assert (await asking.call("GET", "/readyz")).status == 503


async def test_a_closed_generation_is_freed(asking: World) -> None:
    """Red when aiohttp's cache, or the garbage collector, keeps the generations of all reloads in memory."""
    await asking.reload(clients={"shop": {**SHOP, "lang": "zh"}, "club": CLUB})
    second = weakref.ref(asking.app)
    assert (await (await asking.login()).raw()).status == 200
    await asking.reload(clients={"shop": SHOP, "club": CLUB})
    assert (await (await asking.login()).raw()).status == 200  # the connection forgets its last request
    await asking.service.generations.retired()
    await asyncio.sleep(0)  # the callbacks of its task
    assert second() is None
