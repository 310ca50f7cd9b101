"""Sign-ins by redirect while stores are lost, restored or erased, or the process is killed: nothing is revived."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from harness import ACCOUNT, WEBSITE, Clock, Page, World, application, client, problem, starting
from holding import Held
from redirecting import BACK, WEBSITE_LOGIN, redirecting
from redis.asyncio import Redis
from serving import listening, serving
from wechat_browser import browsing

from sandbox.app import AUTHORIZATION, MINI_PROGRAMS, SANDBOX, make_app
from sandbox.faults import SnsFault
from service.cli.main import main
from service.storage.embedded_valkey import valkey
from service.wechat.web_authorization import WebAuthorization

Make = Callable[..., Any]
PURPOSES = pytest.mark.parametrize("purpose", ["login", "bind"])
WAY = {"method": "website", "return_url": BACK, "state": "s"}


async def made(world: World, purpose: str) -> Page:
    return await (world.login(**WAY) if purpose == "login" else world.bind("anna", **WAY))


async def kept(redis: Any) -> dict[str, str]:
    """Return what Redis has about tickets and redirects."""
    return {key: await redis.get(key) for key in await redis.keys("scanbind:[rtw]:*")}


async def restore(redis: Any, older: dict[str, str]) -> None:
    for key in await kept(redis):
        await redis.delete(key)
    for key, value in older.items():
        await redis.set(key, value, ex=600)


@contextlib.contextmanager
def without(world: World, table: str) -> Iterator[None]:
    """Take a table of the database away."""

    def rename(old: str, new: str) -> None:
        path = world.settings.data_dir / "scanbind.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA legacy_alter_table = ON")  # references to it stay
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(table, "elsewhere")
    yield
    rename("elsewhere", table)


@PURPOSES
@pytest.mark.parametrize("end", ["exchanged", "cancelled", "expired"])
async def test_an_older_redis_revives_no_ticket_and_no_code(make: Make, purpose: str, end: str) -> None:
    """Red when SQL does not decide whether a ticket has ended, in `confirm_arrival` or `bind_by_redirect`."""
    world, anna = await redirecting(make, WEBSITE_LOGIN)
    ben, page = await world.person(), await made(world, purpose)
    moments = [{}, await kept(world.redis)]
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        moments.append(await kept(world.redis))
        code = "" if end == "cancelled" and purpose == "login" else (await browser.allow(anna)).answer["code"]
        moments.append(await kept(world.redis))
        if end == "exchanged":
            assert (await world.exchange(code)).status == 200
            await world.site("DELETE", "/v1/bindings/anna")
        elif end == "cancelled":
            assert (await page.raw("DELETE")).status == 204
        else:
            world.clock.advance(page.made["expires_in"])
        back = browser.at.way[0] if browser.at else ""
        for older in moments:
            await restore(world.redis, older)
            codes = [code, (await browser.open(back)).answer.get("code", "")]
            for person in (anna, ben):
                async with browsing(world) as another:
                    visit = await another.open(page.made["authorize_url"])
                    visit = await another.allow(person) if visit.consent else visit
                    codes.append(visit.answer.get("code", ""))
            for given in codes:
                await problem(await world.exchange(given), 400, "invalid-code")
            assert await world.bindings("anna") == []


@PURPOSES
async def test_an_older_redis_revives_no_person_who_was_erased(make: Make, purpose: str) -> None:
    """Red when the exchange stores the person whom Redis names, or an erasure leaves them in Redis."""
    world, anna = await redirecting(make, WEBSITE_LOGIN)
    page, openid = await made(world, purpose), anna.openid(WEBSITE.appid)
    async with browsing(world) as browser:
        code = (await WEBSITE_LOGIN.sign_in(browser, page, anna)).answer["code"]
        back, older = browser.at.way[0] if browser.at else "", await kept(world.redis)
        assert openid in str(older)
        config = str(world.settings.data_dir / "config.yaml")
        erasing = ["privacy", "erase", "--openid", openid, "--yes", "--config", config]
        assert await asyncio.to_thread(main, erasing) == 0
        assert openid not in str(await kept(world.redis))
        for _ in range(2):
            assert (await browser.open(back)).status == 400 or purpose == "bind"
            await problem(await world.exchange(code), 400, "invalid-code")
            await restore(world.redis, older)
    assert await world.bindings("anna") == []


@pytest.mark.parametrize(("purpose", "table"), [("login", "endings"), ("bind", "followers")])
async def test_without_sql_the_site_is_told_and_the_visitor_can_start_again(
    make: Make, purpose: str, table: str
) -> None:
    """Red when `_decided` passes StoreUnavailable on."""
    world, person = await redirecting(make, WEBSITE_LOGIN)
    page = await made(world, purpose)
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        with without(world, table):
            visit = await browser.allow(person)
            assert visit.answer == {"from": "wechat", "error": "temporarily_unavailable", "state": "s"}
        assert (await page.poll())["status"] == "pending"
        assert await world.bindings("anna") == []
        visit = await WEBSITE_LOGIN.sign_in(browser, page, person)
        assert (await world.exchange(visit.answer["code"])).status == 200


@PURPOSES
async def test_without_redis_the_visitor_is_told_and_starts_again(
    tmp_path: Path, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when a state without an outcome is exchanged again, or waits for one that will never come."""
    async with contextlib.AsyncExitStack() as stack:
        losing = await stack.enter_async_context(contextlib.AsyncExitStack())
        url = await losing.enter_async_context(valkey(tmp_path))
        world, person = await redirecting(await stack.enter_async_context(starting(url, tmp_path)), WEBSITE_LOGIN)
        page, browser = await made(world, purpose), await stack.enter_async_context(browsing(world))
        await browser.open(page.made["authorize_url"])
        held = Held(monkeypatch, WebAuthorization, "exchange")
        coming = asyncio.create_task(browser.allow(person))
        await held.reached()
        await losing.aclose()
        held.release()
        visit = await coming
        assert (visit.status, int(visit.headers["Retry-After"]) >= 1) == (503, True)
        await losing.enter_async_context(valkey(tmp_path))
        world.clock.advance(12)
        assert (await browser.open(str(visit.url))).answer["error"] == "temporarily_unavailable"
        visit = await WEBSITE_LOGIN.sign_in(browser, page, person)
        assert (await world.exchange(visit.answer["code"])).status == 200


async def test_a_process_that_is_killed_while_wechat_answers_costs_another_try(tmp_path: Path) -> None:
    """Red when the first request with a code does not store it before WeChat is asked."""
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(valkey(tmp_path))
        redis = await stack.enter_async_context(Redis.from_url(url, decode_responses=True))
        wechat = make_app([ACCOUNT], [WEBSITE], public_url="http://weixin.qq.com")
        address = await stack.enter_async_context(listening(wechat))
        http = await stack.enter_async_context(ClientSession())
        settings: dict[str, Any] = {
            "redis": {"url": url},
            "secret_key": "k" * 40,
            "apps": {"site": application(WEBSITE, wechat=address)},
            "clients": {"shop": client("shop", apps=["site"], methods=["website"], return_urls=[BACK])},
        }
        parts = wechat[SANDBOX], wechat[AUTHORIZATION], wechat[MINI_PROGRAMS]
        person = await wechat[SANDBOX].create_user("Anna")
        async with serving(tmp_path, address, **settings) as service:
            await service.ready(http)
            world = World(service.url, http, address, *parts, redis, None, None, Clock())  # type: ignore[arg-type]  # another process has them
            browser = await stack.enter_async_context(browsing(world))
            page = await made(world, "bind")
            await browser.open(page.made["authorize_url"])
            world.authorization.fault, world.authorization.delay = SnsFault.SLOW, 60
            coming = asyncio.create_task(browser.allow(person))
            async with asyncio.timeout(20):
                while '"code"' not in str(await kept(redis)):
                    await asyncio.sleep(0.01)
            service.process.kill()
            with pytest.raises(ClientError):
                await coming
        world.authorization.fault, before = None, world.url
        async with serving(tmp_path, address, **settings) as service:
            await service.ready(http)
            world.url = service.url
            page.made["authorize_url"] = page.made["authorize_url"].replace(before, world.url)
            code = (await WEBSITE_LOGIN.sign_in(browser, page, person)).answer["code"]
            assert (await world.exchange(code)).status == 200
            assert len(await world.bindings("anna")) == 1
