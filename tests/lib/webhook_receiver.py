"""A receiver of webhooks as a site runs one: it verifies, records and answers as each test says.

Also a process: `python tests/lib/webhook_receiver.py --port 8001 --file received.jsonl whsec_…`. Each event is a
line of the file before it is answered. `PUT /reply` with the fields of Reply as JSON changes the answers.
"""

import argparse
import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True, slots=True)
class Reply:
    """How requests are answered. One of the others replaces the answer."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    wait: float = 0.0
    """Seconds before the answer."""
    late: float = 0.0
    """Seconds on the way: a request whose sender is gone by then never arrives."""
    endless: bool = False
    """A body without end, as fast as it is read."""
    drip: bool = False
    """A body without end, a byte at a time."""
    cut: bool = False
    """A body that is shorter than its Content-Length."""
    reset: bool = False
    """The connection is reset."""


OK: Final = Reply()


@dataclass(frozen=True, slots=True)
class Received:
    """A request that was verified."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def payload(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Verifies with any of `keys`, `whsec_…` or `whpk_…`."""

    keys: Sequence[str]
    any_time: bool = False
    """Accept timestamps that are not of now, from a service whose clock is the test's."""
    replies: list[Reply] = field(default_factory=list)
    """Of the next requests; then comes `reply`."""
    reply: Reply = OK
    received: list[Received] = field(default_factory=list)
    refused: list[Received] = field(default_factory=list)
    """Requests that no key verified; they were answered with 401."""
    file: Path | None = None
    url: str = ""
    ended: int = 0
    """How many of the bodies without end were given up by their reader."""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_put("/reply", self._set_reply)
        app.router.add_route("*", "/{path:.*}", self._take)
        return app

    async def wait_for(self, number: int, *, patience: float = 30) -> Sequence[Received]:
        """Wait until *number* requests were verified; return all."""
        async with asyncio.timeout(patience), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= number)
        return self.received

    async def wait_for_end(self) -> None:
        """Wait until a reader gave up a body without end."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.ended)

    async def _set_reply(self, request: web.Request) -> web.Response:
        self.reply = Reply(**await request.json())
        return web.Response(status=204)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        one = Received(request.path_qs, dict(request.headers), await request.read())
        if await self._lost(request):
            return web.Response()
        if not any(verified(key, one, any_time=self.any_time) for key in self.keys):
            self.refused.append(one)
            return web.Response(status=401)
        self._record(one)
        async with self._changed:
            self.received.append(one)
            self._changed.notify_all()
        return await self._answer(request, self.replies.pop(0) if self.replies else self.reply)

    async def _lost(self, request: web.Request) -> bool:
        late = (self.replies[0] if self.replies else self.reply).late
        await asyncio.sleep(late)
        return late > 0 and (request.transport is None or request.transport.is_closing())

    def _record(self, one: Received) -> None:
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"id": one.id, "path": one.path, "payload": one.payload}) + "\n")

    async def _answer(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        await asyncio.sleep(reply.wait)
        if reply.reset:
            assert request.transport
            request.transport.abort()
            return web.Response()
        if reply.endless or reply.drip or reply.cut:
            return await self._unfinished(request, reply)
        return web.Response(status=reply.status, headers=reply.headers, text=reply.body)

    async def _unfinished(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(
            status=reply.status, headers={**reply.headers, "Content-Length": "1000000000"}
        )
        await response.prepare(request)
        try:
            await response.write(b"x")
            while not reply.cut:
                await response.write(b"x" * 65536 if reply.endless else b"x")
                await asyncio.sleep(0 if reply.endless else 0.02)
        except ConnectionError:
            async with self._changed:
                self.ended += 1
                self._changed.notify_all()
        assert request.transport is None or not request.transport.abort()
        return response


def verified(key: str, one: Received, *, any_time: bool) -> bool:
    """Return whether *key* verifies the request, a secret by the library of Standard Webhooks."""
    if key.startswith("whpk_"):
        return _verified_by_public_key(key, one)
    headers = dict(one.headers)
    try:
        if any_time:
            at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
            return Webhook(key).sign(one.id, at, one.body.decode()) in headers["webhook-signature"].split(" ")
        Webhook(key).verify(one.body, headers)
    except (WebhookVerificationError, KeyError, ValueError):
        return False
    return True


def _verified_by_public_key(key: str, one: Received) -> bool:
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
    signed = f"{one.id}.{one.headers['webhook-timestamp']}.".encode() + one.body
    for version, _, signature in (each.partition(",") for each in one.headers["webhook-signature"].split(" ")):
        try:
            if version == "v1a":
                public.verify(base64.b64decode(signature), signed)
                return True
        except InvalidSignature:
            continue
    return False


@asynccontextmanager
async def receiving(*keys: str, tls: SSLContext | None = None, any_time: bool = False) -> AsyncIterator[Receiver]:
    """Run a receiver in this process."""
    receiver = Receiver(keys, any_time=any_time)
    runner = web.AppRunner(receiver.app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{port}/hooks?token=of-the-url"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("keys", nargs="+")
    given = parser.parse_args()
    web.run_app(Receiver(given.keys, file=given.file).app(), host="127.0.0.1", port=given.port, print=None)


if __name__ == "__main__":
    _main()
