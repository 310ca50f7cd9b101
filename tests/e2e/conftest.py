"""Browser tests of pages and service; skipped on a machine without chromium."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pages
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from browser_fixture import browser_fixture, browser_test
from chromium import chromium
from harness import ORIGIN, World, client, emptied, starting
from phone import REAL_PHONE
from playwright.async_api import Browser, BrowserContext, async_playwright
from process import Demo, demo
from proxy import Proxy
from proxy import proxy as run_proxy
from redis.asyncio import Redis
from widget import RECORD, Begin, Console
from widget_methods import Offer, offering

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(browser_test, append=False)
        if item.get_closest_marker("engines"):
            continue  # these need another browser
        item.add_marker(pytest.mark.browser)
        if not CHROMIUM:
            item.add_marker(pytest.mark.skip(reason="needs chromium, which is not on this machine"))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    # All tests come from one address, and faster than any visitor.
    with demo(tmp_path_factory.mktemp("demo"), SCANBIND_LIMITS__TICKETS_PER_ADDRESS="0") as one:
        yield one


@pytest.fixture(scope="session")
def chromium_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert CHROMIUM
    with chromium(CHROMIUM, tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_address: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(chromium_address)


@browser_fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with emptied(redis_url) as client:
        yield client


@browser_fixture
async def make(redis: Redis, redis_url: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    async with starting(redis_url, tmp_path) as start:
        yield start


@browser_fixture
async def world(make: Callable[..., Any]) -> World:
    started: World = await make()
    return started


@pytest.fixture
def console() -> Console:
    return Console()


@browser_fixture
async def context(browser: Browser, console: Console) -> AsyncIterator[BrowserContext]:
    """One person's browser; a page that logs an error or breaks its own security policy fails the test."""
    context = await browser.new_context(viewport={"width": 1000, "height": 760}, locale="en-US")
    console.watch(context)
    await context.add_init_script(RECORD)
    yield context
    await context.close()
    assert console.unexpected == []


@browser_fixture
async def site() -> AsyncIterator[pages.Site]:
    async with pages.site() as one:
        yield one


@pytest.fixture
def begin(make: Callable[..., Any], site: pages.Site) -> Begin:
    """Start a world whose shop is the site: `await begin(confirm="tap", limits=...)`."""

    async def start(*, confirm: str = "match", **settings: Any) -> World:
        shop = client("shop", origins=[site.origin, ORIGIN], confirm=confirm)
        world: World = await make(clients={"shop": shop}, **settings)
        site.service = world.url
        return world

    return start


@pytest.fixture
def offer(make: Callable[..., Any], site: pages.Site) -> Offer:
    """Start a world whose shop is the site and has these methods: `await offer("scan", "website")`."""
    return partial(offering, make, site)


@browser_fixture
async def town(begin: Begin) -> World:
    """A world whose shop is the site, and asks for the number on the page."""
    return await begin()


@browser_fixture
async def between(town: World, site: pages.Site) -> AsyncIterator[Proxy]:
    """A proxy through which the site's pages reach the service."""
    async with run_proxy(town.url) as one:
        site.service = one.url
        yield one


@browser_fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@browser_fixture
async def hand(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser with the size, touch and pixel density of a phone."""
    context = await browser.new_context(**REAL_PHONE)
    yield context
    await context.close()
