"""Firefox, driven by its own remote agent: WebDriver BiDi without geckodriver."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from widget import Console

from engines.bidi import Bidi, connected
from engines.driver import Failed, click, keys
from engines.programs import program

# A page's policy would refuse its own icon, which no test asks for and which the console tells of.
_PREFERENCES: Final = 'user_pref("browser.chrome.site_icons", false);\n'


class FirefoxTab:
    def __init__(self, bidi: Bidi, context: str) -> None:
        self._bidi = bidi
        self._context = context

    async def go(self, address: str) -> None:
        await self._bidi.command("browsingContext.navigate", context=self._context, url=address, wait="complete")

    async def back(self) -> None:
        await self._bidi.command("browsingContext.traverseHistory", context=self._context, delta=-1)

    async def front(self) -> None:
        await self._bidi.command("browsingContext.activate", context=self._context)

    async def run(self, expression: str) -> Any:
        told = await self._bidi.command(
            "script.evaluate", expression=expression, target={"context": self._context}, awaitPromise=False
        )
        if told["type"] == "exception":
            raise Failed(told["exceptionDetails"]["text"])
        return json.loads(told["result"]["value"])

    async def press(self, x: float, y: float) -> None:
        await self._bidi.command("input.performActions", context=self._context, actions=click(x, y))

    async def type(self, text: str) -> None:
        await self._bidi.command("input.performActions", context=self._context, actions=keys(text))


class FirefoxVisitor:
    """A container of its own in the one Firefox."""

    def __init__(self, bidi: Bidi, container: str) -> None:
        self._bidi = bidi
        self._container = container

    async def tab(self) -> FirefoxTab:
        made = await self._bidi.command("browsingContext.create", type="tab", userContext=self._container)
        return FirefoxTab(self._bidi, made["context"])


class Firefox:
    def __init__(self, bidi: Bidi) -> None:
        self._bidi = bidi

    @asynccontextmanager
    async def visitor(self, console: Console) -> AsyncIterator[FirefoxVisitor]:
        made = await self._bidi.command("browser.createUserContext")
        self._bidi.hear = lambda entry: console.faults.append(entry["text"]) if entry["level"] == "error" else None
        yield FirefoxVisitor(self._bidi, made["userContext"])
        await self._bidi.command("browser.removeUserContext", userContext=made["userContext"])


@contextmanager
def firefox_address(name: str, folder: Path) -> Iterator[str]:
    """Run a Firefox that keeps its things in *folder*; give the address at which it is driven."""
    (folder / "user.js").write_text(_PREFERENCES)
    command = (name, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0")
    with program(*command, folder=folder) as process:
        told = json.loads(process.has_written(folder / "WebDriverBiDiServer.json"))
        yield f"ws://{told['ws_host']}:{told['ws_port']}/session"


@asynccontextmanager
async def firefox(address: str) -> AsyncIterator[Firefox]:
    """Drive the Firefox at *address*."""
    async with connected(address) as bidi:
        await bidi.command("session.subscribe", events=["log.entryAdded"])
        yield Firefox(bidi)
