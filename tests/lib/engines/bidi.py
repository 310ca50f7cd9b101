"""A connection to a browser by WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/): commands and events."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

from engines.driver import COMMAND_TIMEOUT, Failed


class Bidi:
    """Sends commands; hands the parameters of each event to `hear`."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._serial = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.hear: Callable[[dict[str, Any]], None] = lambda _: None

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of a command; raise Failed on an error, or when no answer comes."""
        number = next(self._serial)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                await self._socket.send_json({"id": number, "method": method, "params": parameters})
                told = await answer
        except TimeoutError:
            raise Failed(f"{method}: no answer for {COMMAND_TIMEOUT:.0f} seconds") from None
        except ConnectionError as error:
            raise Failed(f"{method}: the browser is gone") from error
        finally:
            del self._asked[number]
        if told["type"] == "error":
            raise Failed(f"{method}: {told['error']}: {told['message']}")
        return dict(told["result"])

    async def listen(self) -> None:
        """Take in what the browser says, until it ends."""
        async for message in self._socket:
            told = message.json()
            if told["type"] == "event":
                self.hear(told["params"])
            elif (answer := self._asked.get(told["id"])) and not answer.done():
                answer.set_result(told)
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionError())


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Bidi]:
    """Begin a session with the browser at *address*, a WebSocket's."""
    async with ClientSession() as http, http.ws_connect(address) as socket:
        bidi = Bidi(socket)
        listening = asyncio.create_task(bidi.listen())
        try:
            await bidi.command("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            yield bidi
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
