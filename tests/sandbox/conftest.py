"""A service to push to, whose answers each test decides, and a sandbox that pushes fast."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image, ImageDraw

from sandbox.account import OfficialAccount
from sandbox.emulator import Sandbox

ACCOUNT = OfficialAccount(
    appid="wx0123456789abcdef",
    secret="0123456789abcdef0123456789abcdef",
    token="sandboxtoken",
    aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    gh_id="gh_0123456789ab",
    callback_url="http://127.0.0.1:1/",
)


@dataclass
class Clock:
    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Seen:
    method: str
    query: dict[str, str]
    body: bytes
    content_type: str


async def success(seen: Seen) -> web.Response:
    return web.Response(body=b"success")


@dataclass
class Service:
    """What was pushed, and how it is answered."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answer: Callable[[Seen], Awaitable[web.StreamResponse]] = success
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, dict(request.query), await request.read(), request.content_type)
        self.seen.append(seen)
        self.arrived.set()
        return await self.answer(seen)

    def says(self, body: bytes | str, *, status: int = 200) -> None:
        async def answer(seen: Seen) -> web.Response:
            return web.Response(body=body if isinstance(body, bytes) else body.encode(), status=status)

        self.answer = answer

    def replies(self, text: str, *, gh_id: str = ACCOUNT.gh_id) -> None:
        """Answer each push in the clear with a text; good in plain and compatible mode."""

        async def answer(seen: Seen) -> web.Response:
            openid = seen.body.split(b"<FromUserName><![CDATA[")[1].split(b"]]>")[0].decode()
            return web.Response(body=text_reply(text, to=openid, gh_id=gh_id))

        self.answer = answer


def text_reply(text: str, *, to: str, gh_id: str = ACCOUNT.gh_id) -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{gh_id}]]></FromUserName>"
        f"<CreateTime>12345678</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        f"<Content><![CDATA[{text}]]></Content></xml>"
    ).encode()


@pytest.fixture
def account() -> OfficialAccount:
    return ACCOUNT


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_route("*", "/wechat/main", service.handle)
    async with TestServer(app) as server:
        service.url = str(server.make_url("/wechat/main"))
        yield service


@pytest.fixture
def build(service: Service, clock: Clock) -> Callable[..., Sandbox]:
    """Make a sandbox of one account with these changes, to be entered."""

    def make(*, answer_within: float = 5.0, clock: Callable[[], float] = clock, **changes: object) -> Sandbox:
        changed = replace(ACCOUNT, callback_url=service.url, **changes)
        return Sandbox(
            [changed],
            public_url="http://phone.test",
            clock=clock,
            retry_interval=0.02,
            answer_within=answer_within,
        )

    return make


@pytest.fixture
async def plain(build: Callable[..., Sandbox]) -> AsyncIterator[Sandbox]:
    async with build(mode="plain") as sandbox:
        yield sandbox


def shown(sandbox: Sandbox, scene: str = "bind_x", seconds: int = 600) -> str:
    """Make a code and return its id."""
    body = json.dumps(
        {
            "expire_seconds": seconds,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
    ).encode()
    return sandbox.state().codes.create(body, public_url=sandbox.public_url, now=sandbox.clock()).id


@pytest.fixture
def show() -> Callable[..., str]:
    return shown


@pytest.fixture(scope="session")
def wall() -> bytes:
    """A picture of nothing but the corners of QR codes, which are tried by threes: minutes of work in 50 KB."""
    corner, side = Image.new("L", (9, 9), 255), 4500
    draw = ImageDraw.Draw(corner)
    for inset, colour in ((1, 0), (2, 255), (3, 0)):
        draw.rectangle((inset, inset, 8 - inset, 8 - inset), fill=colour)
    row, whole, out = Image.new("L", (side, 9), 255), Image.new("L", (side, side), 255), io.BytesIO()
    for x in range(0, side, 9):
        row.paste(corner, (x, 0))
    for y in range(0, side, 9):
        whole.paste(row, (0, y))
    whole.save(out, "PNG")
    return out.getvalue()
