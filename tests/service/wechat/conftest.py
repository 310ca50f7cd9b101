"""WeChat's API as a script of answers."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from service.wechat.transport import ApiAccount

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def sample() -> Callable[[str], dict[str, Any]]:
    """Read one of the real deliveries."""
    return lambda name: json.loads((SAMPLES / f"{name}.json").read_text())


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@dataclass
class FakeWeChat:
    """Answers each endpoint from its script, the last answer for ever, and remembers what it was asked.

    An answer is a JSON value, raw bytes, or None: then the connection is cut.
    """

    script: dict[str, list[Any]] = field(default_factory=dict)
    asked: dict[str, list[web.Request]] = field(default_factory=lambda: defaultdict(list))
    bodies: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    status: int = 200
    hold: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        endpoint = request.match_info["endpoint"]
        self.asked[endpoint].append(request)
        self.arrived.set()
        raw = await request.read()
        self.bodies[endpoint].append(json.loads(raw) if raw else None)
        if self.hold is not None:
            await self.hold.wait()
        answers = self.script[endpoint]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(body=body, status=self.status, content_type="text/plain")

    def tokens_used(self, endpoint: str) -> list[str]:
        return [request.query["access_token"] for request in self.asked[endpoint]]


def granted(token: str, lifetime: int = 7200) -> dict[str, Any]:
    return {"access_token": token, "expires_in": lifetime}


@pytest.fixture
def wechat() -> FakeWeChat:
    return FakeWeChat(script={"stable_token": [granted("token-1"), granted("token-2"), granted("token-3")]})


@pytest.fixture
async def account(wechat: FakeWeChat, aiohttp_server: Any) -> ApiAccount:
    app = web.Application()
    for path in ("/cgi-bin/{endpoint:.+}", "/{endpoint:sns/.+}"):
        app.router.add_route("*", path, wechat.answer)
    server = await aiohttp_server(app)
    return ApiAccount(appid="wx0123456789abcdef", secret="the-secret", api_base=str(server.make_url("/")))
