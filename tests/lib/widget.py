"""The widget in a browser: what it shows, its events, and scans of its code."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from harness import World
from playwright.async_api import BrowserContext, Page, expect

from sandbox.people import Person

Begin = Callable[..., Awaitable[World]]
"""Starts a world as a test wants it; see the fixture `begin`."""
LOGIN: Final = '<scanbind-qr client-id="shop" state="from-the-session"></scanbind-qr>'
REASON: Final = "scanbind-qr: "
RECORD: Final = """
globalThis.told = [];
for (const name of ["status", "confirmed", "renew", "method"])
  addEventListener(`scanbind:${name}`, (event) => told.push({ name, id: event.target.id, ...event.detail }));
"""
HIDE: Final = """
(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  const state = hidden ? "hidden" : "visible";
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


@dataclass
class Console:
    """Errors of a context's pages: logged errors, exceptions, violations of their content security policy."""

    faults: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    reasons: list[str] = field(default_factory=list)
    """What the widget says to the site's developer."""

    def expect(self, *beginnings: str) -> None:
        """Allow errors with these beginnings: a browser logs every failed request, also handled ones."""
        self.expected = beginnings

    def watch(self, context: BrowserContext) -> None:
        context.on("console", lambda said: self._hear(said.type, said.text))
        context.on("weberror", lambda error: self.faults.append(str(error.error)))

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.faults.append(text)
        elif text.startswith(REASON):
            self.reasons.append(text.removeprefix(REASON))

    @property
    def unexpected(self) -> list[str]:
        return [fault for fault in self.faults if not self.expected or not fault.startswith(self.expected)]


class Widget:
    """One `<scanbind-qr>` of a page."""

    def __init__(self, page: Page, selector: str = "scanbind-qr") -> None:
        self.page = page
        self.host = page.locator(selector)
        self.qr = self.host.get_by_test_id("qr")
        self.status = self.host.get_by_test_id("qr-status")
        self.match = self.host.get_by_test_id("match")
        self.timer = self.host.get_by_test_id("timer")
        self.button = self.host.get_by_test_id("refresh-code")
        self.save = self.host.get_by_test_id("save-image")

    async def becomes(self, status: str, *, within: float = 15) -> None:
        await expect(self.host).to_have_attribute("data-status", status, timeout=within * 1000)

    async def has(self, status: str) -> bool:
        return await self.host.get_attribute("data-status") == status

    async def shows_a_code(self) -> None:
        """Wait until the picture is there, and not only its place."""
        await self.becomes("waiting")
        await expect(self.qr).to_be_visible()
        await expect(self.qr).to_have_js_property("complete", value=True)
        assert await self.qr.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")

    async def has_had(self, codes: int) -> None:
        """Wait until so many codes have been shown, one after another."""
        await self.page.wait_for_function(
            "(codes) => new Set(told.map((one) => one.ticket).filter(Boolean)).size === codes", arg=codes
        )

    async def number(self) -> str:
        """Return the number to answer, once there is one."""
        await expect(self.match).to_be_visible(timeout=15_000)
        return await self.match.inner_text()

    async def hide(self, *, hidden: bool = True) -> None:
        """Do as the browser does when the person turns to another tab, or comes back."""
        await self.page.evaluate(HIDE, hidden)

    async def told(self, name: str = "") -> list[dict[str, Any]]:
        """Return the details of the events so far, all or those of one name."""
        every: list[dict[str, Any]] = await self.page.evaluate("told")
        return [one for one in every if name in ("", one["name"])]

    async def statuses(self) -> list[str]:
        return [one["status"] for one in await self.told("status")]

    async def ticket(self) -> str:
        """Return the ticket whose code is shown."""
        shown = [one["ticket"] for one in await self.told("status") if one["ticket"]]
        return str(shown[-1])


async def opened(context: BrowserContext, address: str) -> Widget:
    """Open a page in a new tab, with the recorder of events in it."""
    page = await context.new_page()
    await page.goto(address)
    return Widget(page)


async def scan_newest(world: World, person: Person) -> str | None:
    """Scan the code that was made last; return what the chat says."""
    scan = await world.sandbox.scan(person, world.sandbox.codes()[0])
    return scan.delivery.reply if scan.delivery else None


async def confirm(world: World, person: Person, widget: Widget) -> None:
    """Scan the newest code and answer with the number that the page shows."""
    await scan_newest(world, person)
    await world.say(person, await widget.number())


async def timed(context: BrowserContext, address: str) -> Widget:
    """Open a page whose time the test may move."""
    page = await context.new_page()
    await page.clock.install()
    await page.goto(address)
    return Widget(page)


async def until(condition: Callable[[], object], *, within: float = 15) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)


async def passes(page: Page, seconds: float) -> None:
    """Let *seconds* pass in the browser, then real time enough for what that began."""
    await page.clock.run_for(round(seconds * 1000))
    await asyncio.sleep(0.05)


async def in_time(page: Page, condition: Callable[[], Awaitable[bool]], *, step: float) -> None:
    """Let time pass in the browser, *step* seconds at once, until *condition*."""
    async with asyncio.timeout(60):
        while not await condition():
            await passes(page, step)
