"""While Redis accepts requests and answers none, SQL alone does its part within WeChat's five seconds."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import unquote

import pytest
from chatting import typed
from harness import World
from harness import world as make_world
from streams import block, event, stream

from sandbox import pushes
from sandbox.envelope import wrap
from service.storage import redis
from service.tickets import feed

# redis-py drops a connection whose making was cancelled; it is collected here, and fails no test of another file.
pytestmark = pytest.mark.filterwarnings("default:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


class Line:
    """The way to Redis; while it is cut, what is sent stays on the way."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._whole = asyncio.Event()
        self._whole.set()

    def cut(self) -> None:
        self._whole.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._socket)
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def mend(self) -> None:
        self._whole.set()


@pytest.fixture
def unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service wait for Redis for longer than a test takes, and remember nothing."""
    monkeypatch.setitem(redis._OPTIONS, "socket_timeout", 60)
    monkeypatch.setattr(feed, "_MAX_AGE", 0)


@pytest.fixture
async def hanging(redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[World, Line]]:
    line = Line(unquote(redis_url.removeprefix("unix://")))
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.wait_closed)
        stack.callback(server.close)
        world = await stack.enter_async_context(make_world(f"redis://127.0.0.1:{port}", tmp_path))
        stack.callback(line.mend)
        yield world, line


async def test_who_leaves_is_erased_while_redis_hangs(hanging: tuple[World, Line]) -> None:
    """Red when `ReplyCache` waits as long as Redis likes."""
    world, line = hanging
    person = await world.bound("42")
    contact, account = world.sandbox.contact(person), world.sandbox.accounts[0]
    now = world.clock.seconds()
    push = wrap(pushes.addressed(pushes.unfollow(), contact, account, now=now), account, now=now)
    line.cut()
    answer = await world.call("POST", "/wechat/main", params=push.query, data=push.body)
    assert (answer.status, await answer.text()) == (200, "success")
    assert await world.bindings("42") == []


@pytest.mark.usefixtures("unbounded")
async def test_a_near_answer_is_acknowledged_while_redis_hangs(hanging: tuple[World, Line]) -> None:
    """Red when `AnswerHints.hint` waits as long as Redis likes."""
    world, line = hanging
    person = await world.person()
    line.cut()
    assert await typed(world, person, "147") is None


@pytest.mark.usefixtures("unbounded")
async def test_a_stream_gives_signs_of_life_while_redis_hangs(
    hanging: tuple[World, Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_reread` only awaits the read: the stream is silent for as long as Redis is."""
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", 0.1)
    world, line = hanging
    page, person = await world.login(), await world.person()
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        line.cut()
        assert [await block(response) for _ in range(20)] == [":\n"] * 20
        line.mend()
        await world.scan(person, page)
        assert (await event(response))["data"]["status"] == "confirmed"
        assert await block(response) == ""
