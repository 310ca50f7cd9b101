"""Each flow runs in Chromium, in Firefox and in WebKit; skipped where the programs of an engine are missing."""

import shutil
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from browser_fixture import browser_fixture
from engines import webkit as webkit_engine
from engines.chromium import Chromium
from engines.driver import Engine, Visitor
from engines.firefox import Firefox, firefox_address
from engines.firefox import firefox as driven_firefox
from engines.page import Page
from engines.programs import missing
from engines.webkit import WebKit
from playwright.async_api import Browser
from widget import Console

FIREFOX = next(filter(shutil.which, ("firefox-esr", "firefox")), "firefox-esr")
LACKS = {"firefox": missing(FIREFOX), "webkit": missing(webkit_engine.DRIVER, webkit_engine.SCREEN)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize(
            "engine", ["chromium", *(_other(name, why) for name, why in LACKS.items())], indirect=True
        )


def _other(name: str, lacking: str) -> Any:
    # The first flow starts the engine, for which a busy machine may take a minute.
    marks = [pytest.mark.engines, pytest.mark.timeout(300), pytest.mark.skipif(bool(lacking), reason=lacking)]
    return pytest.param(name, marks=marks)


@pytest.fixture(scope="session")
def chromium(browser: Browser) -> Chromium:
    return Chromium(browser)


@pytest.fixture(scope="session")
def firefox_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with firefox_address(FIREFOX, tmp_path_factory.mktemp("firefox")) as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox(firefox_at: str) -> AsyncIterator[Firefox]:
    async with driven_firefox(firefox_at) as one:
        yield one


@pytest.fixture(scope="session")
def webkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebKit]:
    with webkit_engine.webkit(tmp_path_factory.mktemp("webkit")) as one:
        yield one


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    one: Engine = request.getfixturevalue(request.param)
    return one


@browser_fixture
async def visitor(engine: Engine, console: Console) -> AsyncIterator[Visitor]:
    """One person's browser; a page that logs an error fails the test, where the engine tells of it."""
    async with engine.visitor(console) as one:
        yield one
    assert console.unexpected == []


@browser_fixture
async def page(visitor: Visitor) -> Page:
    return Page(await visitor.tab())
