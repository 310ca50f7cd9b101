"""Chromium, driven by Playwright."""

import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, Page
from widget import Console

from engines.driver import COMMAND_TIMEOUT, ESCAPE, Failed


class ChromiumTab:
    def __init__(self, page: Page) -> None:
        self._page = page

    async def go(self, address: str) -> None:
        await _done(self._page.goto(address))

    async def back(self) -> None:
        # A page out of the back/forward cache does not load again.
        await _done(self._page.go_back(wait_until="commit"))

    async def front(self) -> None:
        await _done(self._page.bring_to_front())

    async def run(self, expression: str) -> Any:
        return json.loads(await _done(self._page.evaluate(expression)))

    async def press(self, x: float, y: float) -> None:
        await _done(self._page.mouse.click(x, y))

    async def type(self, text: str) -> None:
        if text == ESCAPE:
            await _done(self._page.keyboard.press("Escape"))
        else:
            await _done(self._page.keyboard.type(text))


async def _done(act: Awaitable[Any]) -> Any:
    try:
        return await act
    except Error as error:
        raise Failed(error.message) from error


class ChromiumVisitor:
    def __init__(self, context: BrowserContext) -> None:
        self._context = context

    async def tab(self) -> ChromiumTab:
        return ChromiumTab(await self._context.new_page())


class Chromium:
    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @asynccontextmanager
    async def visitor(self, console: Console) -> AsyncIterator[ChromiumVisitor]:
        context = await self._browser.new_context(ignore_https_errors=True, locale="en-US")
        context.set_default_timeout(COMMAND_TIMEOUT * 1000)
        console.watch(context)
        yield ChromiumVisitor(context)
        await context.close()
