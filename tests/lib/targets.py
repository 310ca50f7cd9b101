"""A system behind an account, with wechatpy's own signatures and encryption: it knows nothing of scanbind."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from harness import ACCOUNT
from serving import listening
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

TOKEN: Final = "tokenofthetarget"
KEY: Final = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
CRYPTO: Final = WeChatCrypto(TOKEN, KEY, ACCOUNT.appid)
Answer = Any
"""A body, a response, or an awaitable of one."""


@dataclass
class Received:
    """A push as it arrived, decrypted if it was encrypted."""

    query: dict[str, str]
    headers: dict[str, str]
    body: str
    message: str

    @property
    def parsed(self) -> Any:
        """The message of wechatpy."""
        return parse_message(self.message)

    @property
    def name(self) -> str:
        told = self.parsed
        return told.event if told.type == "event" else told.type

    def text(self, content: str, **changes: str) -> str:
        """Return a text reply in XML, with other elements than it should have."""
        reply = create_reply(content, self.parsed)
        for name, value in changes.items():
            setattr(reply, name, value)
        return str(reply.render())

    def seal(self, reply: str, *, crypto: WeChatCrypto = CRYPTO, timestamp: str | None = None) -> str:
        return str(crypto.encrypt_message(reply, self.query["nonce"], timestamp or self.query["timestamp"]))


def echo(push: Received) -> Answer:
    """Answer a text with itself, as the mode demands; others with success."""
    if push.name != "text":
        return "success"
    reply = push.text(f"bot: {push.parsed.content}")
    return push.seal(reply) if "msg_signature" in push.query else reply


@dataclass
class Target:
    """A running target: what it answers can be changed, what arrived is kept."""

    answer: Callable[[Received], Answer] = echo
    received: list[Received] = field(default_factory=list)
    url: str = ""
    busy: int = 0
    """How many pushes it is answering."""

    @property
    def names(self) -> list[str]:
        return [push.name for push in self.received]

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {"url": self.url, "token": TOKEN, "aes_key": KEY, **changes}

    async def receive(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
        if request.method == "GET":
            return web.Response(text=query["echostr"])
        body = await request.text()
        message = body
        if "msg_signature" in query:
            written = body if body.startswith("<") else _as_xml(json.loads(body))
            message = CRYPTO.decrypt_message(written, query["msg_signature"], query["timestamp"], query["nonce"])
        push = Received(query, dict(request.headers), body, message)
        self.received.append(push)
        self.busy += 1
        try:
            answer = self.answer(push)
            if inspect.isawaitable(answer):
                answer = await answer
        finally:
            self.busy -= 1
        return answer if isinstance(answer, web.StreamResponse) else web.Response(text=answer)

    async def until(self, count: int) -> None:
        """Wait until so many pushes have arrived."""
        async with asyncio.timeout(20):
            while len(self.received) < count:
                await asyncio.sleep(0.01)


def _as_xml(fields: dict[str, Any]) -> str:
    return f"<xml>{''.join(f'<{name}>{value}</{name}>' for name, value in fields.items())}</xml>"


@asynccontextmanager
async def target(answer: Callable[[Received], Answer] = echo) -> AsyncIterator[Target]:
    made, app = Target(answer), web.Application()
    app.router.add_route("*", "/{tail:.*}", made.receive)
    async with listening(app) as url:
        made.url = f"{url}/wechat?from=scanbind"
        yield made


def forwarding(*targets: dict[str, Any], **beside: Any) -> dict[str, Any]:
    """Return changes of a world whose account passes pushes on."""
    return {"accounts": {"main": {"forward": list(targets), **beside}}}


async def counted(world: Any, outcome: str, *, index: int = 0) -> float:
    """Return how often a push to a target had *outcome*."""
    figures = await (await world.call("GET", "/metrics")).text()
    wanted = f'scanbind_forwarded_total{{account="main",outcome="{outcome}",target="{index}"}} '
    return next((float(line.removeprefix(wanted)) for line in figures.splitlines() if line.startswith(wanted)), 0)
