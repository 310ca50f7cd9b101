"""WebKit in a MiniBrowser, driven by WebKitWebDriver: WebDriver (https://www.w3.org/TR/webdriver2/) by HTTP."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from serving import port_of_a_process
from widget import Console

from engines.driver import COMMAND_TIMEOUT, Failed, click, keys
from engines.programs import program

DRIVER: Final = "WebKitWebDriver"
SCREEN: Final = "Xvfb"
_WANTED: Final = {
    "acceptInsecureCerts": True,
    "timeouts": {"pageLoad": COMMAND_TIMEOUT * 1000, "script": COMMAND_TIMEOUT * 1000},
}


class Session:
    """One MiniBrowser, whose commands go to the tab that was chosen last."""

    def __init__(self, http: ClientSession, address: str) -> None:
        self._http = http
        self._address = address
        self._chosen = ""

    async def command(self, path: str, method: str = "POST", **parameters: Any) -> Any:
        return await _answer(self._http, method, self._address + path, parameters)

    async def choose(self, tab: str) -> None:
        if tab != self._chosen:
            await self.command("/window", handle=tab)
            self._chosen = tab


class WebKitTab:
    def __init__(self, session: Session, handle: str) -> None:
        self._session = session
        self._handle = handle

    async def go(self, address: str) -> None:
        await self._told("/url", url=address)

    async def back(self) -> None:
        await self._told("/back")

    async def front(self) -> None:
        await self._session.choose(self._handle)

    async def run(self, expression: str) -> Any:
        return json.loads(await self._told("/execute/sync", script=f"return {expression}", args=[]))

    async def press(self, x: float, y: float) -> None:
        await self._told("/actions", actions=click(x, y))

    async def type(self, text: str) -> None:
        await self._told("/actions", actions=keys(text))

    async def _told(self, path: str, **parameters: Any) -> Any:
        await self._session.choose(self._handle)
        return await self._session.command(path, **parameters)


class WebKitVisitor:
    """A MiniBrowser of its own, which keeps nothing; its first tab is there from the start."""

    def __init__(self, session: Session, first: str) -> None:
        self._session = session
        self._unused = [first]

    async def tab(self) -> WebKitTab:
        if self._unused:
            return WebKitTab(self._session, self._unused.pop())
        made = await self._session.command("/window/new", type="window")
        return WebKitTab(self._session, made["handle"])


class WebKit:
    def __init__(self, address: str) -> None:
        self._address = address

    @asynccontextmanager
    async def visitor(self, _: Console) -> AsyncIterator[WebKitVisitor]:
        """WebDriver tells nothing of what pages log."""
        async with ClientSession(timeout=ClientTimeout(COMMAND_TIMEOUT)) as http:
            sessions = f"{self._address}/session"
            made = await _answer(http, "POST", sessions, {"capabilities": {"alwaysMatch": _WANTED}})
            session = Session(http, f"{sessions}/{made['sessionId']}")
            try:
                yield WebKitVisitor(session, await session.command("/window", "GET"))
            finally:
                await session.command("", "DELETE")


async def _answer(http: ClientSession, method: str, address: str, parameters: dict[str, Any]) -> Any:
    """Return the value that a command gives; raise Failed on an error, or when no answer comes."""
    body = json.dumps(parameters) if method == "POST" else None
    try:
        async with http.request(method, address, data=body) as response:
            value = (await response.json())["value"]
    except (ClientError, TimeoutError) as error:
        raise Failed(f"{method} {address}: {error!r}") from error
    if response.status != 200:
        raise Failed(f"{method} {address}: {value['error']}: {value['message']}")
    return value


@contextmanager
def webkit(folder: Path) -> Iterator[WebKit]:
    """Run a WebKitWebDriver, and a screen without a monitor for the browsers that it starts."""
    with _screen(folder) as display:
        port = port_of_a_process()
        # The accessibility bridge would look for a bus that a bare machine does not have.
        variables = {"DISPLAY": display, "NO_AT_BRIDGE": "1"}
        with program(DRIVER, "-p", str(port), folder=folder, **variables) as process:
            process.listens(port)
            yield WebKit(f"http://127.0.0.1:{port}")


@contextmanager
def _screen(folder: Path) -> Iterator[str]:
    number = folder / "display"
    with number.open("w") as file:
        command = (SCREEN, "-displayfd", str(file.fileno()), "-screen", "0", "1280x1024x24", "-nolisten", "tcp")
        with program(*command, folder=folder, passing=(file.fileno(),)) as process:
            yield f":{process.has_written(number).strip()}"
