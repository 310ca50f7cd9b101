"""The service that is fuzzed: the real application on real stores, with every kind of account and client."""

import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from redis import Redis

from fuzz import raw_http
from fuzz.config import ACCOUNTS, CLIENTS, ORIGIN, SECRET_KEY
from fuzz.response_checks import Answer
from fuzz.store_monitor import Watch
from sandbox.account import OfficialAccount
from sandbox.app import make_app as make_wechat
from service.app_keys import ACCESS_TOKENS, DRAINING
from service.config import settings
from service.server import runner
from service.storage.embedded_valkey import valkey


@dataclass(frozen=True, slots=True)
class Service:
    """The service, which is called without sockets, and the monitor of its stores."""

    server: web.Server
    watch: Watch

    async def ask(self, request: bytes) -> Answer:
        """Send one whole request. Raises Fault without a response."""
        return await raw_http.ask(self.server, request)


@asynccontextmanager
async def running() -> AsyncIterator[Service]:
    """Run the service and the sandbox, in a temporary folder.

    It drains from the start, so that long polls and streams end at once instead of after up to half a minute.
    """
    with tempfile.TemporaryDirectory(prefix="scanbind-fuzz-") as name:
        folder = Path(name)
        async with _wechat() as api_base, valkey(folder) as redis_url:
            tree = settings.validate(_tree(folder, redis_url, api_base))
            async with runner.opened(tree) as (live, server):
                live.app[DRAINING].set()
                # Else the first question about a follower of each account would write beside the requests.
                for api in live.app[ACCESS_TOKENS].apis.values():
                    await api.access_token()
                with (
                    contextlib.closing(Redis.from_url(redis_url)) as redis,
                    contextlib.closing(Watch(folder / "scanbind.sqlite3", redis, accounts=ACCOUNTS)) as watch,
                ):
                    yield Service(server, watch)


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """Run it on a port of this machine, beside a WeChat of its own; give its address."""
    with (
        tempfile.TemporaryDirectory(prefix="scanbind-fuzz-") as folder,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with _wechat() as api_base:
            tree = _tree(Path(folder), "embedded", api_base) | {"server": {"public_url": url}}
            async with runner.running(settings.validate(tree), sock=free):
                yield url


@asynccontextmanager
async def _wechat() -> AsyncIterator[str]:
    wechat = make_wechat(list(ACCOUNTS.values()), public_url="http://weixin.qq.com")
    serving = web.AppRunner(wechat, access_log=None, shutdown_timeout=1)
    await serving.setup()
    try:
        site = web.TCPSite(serving, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{serving.addresses[0][1]}"
    finally:
        await serving.cleanup()


def _tree(folder: Path, redis_url: str, api_base: str) -> dict[str, object]:
    return {
        "server": {"public_url": "https://login.example"},
        "data_dir": str(folder),
        "redis": {"url": redis_url},
        "secret_key": SECRET_KEY,
        "accounts": {name: _account(one, api_base) for name, one in ACCOUNTS.items()},
        "clients": {name: _client(name) for name in CLIENTS},
        "tickets": {"login_lifetime": 1800, "bind_lifetime": 1800},
        "limits": dict.fromkeys(settings.Limits.model_fields, 0),
    }


def _account(one: OfficialAccount, api_base: str) -> dict[str, object]:
    return {
        "appid": one.appid,
        "secret": one.secret,
        "token": one.token,
        "aes_key": one.aes_key,
        "mode": one.mode,
        "allow_unsigned_body": one.mode == "plain",
        "api_base": api_base,
        "codes_per_day": 10**9,
    }


def _client(name: str) -> dict[str, object]:
    """Return a client's configuration: the shop asks for confirmation in the chat, the club does not."""
    return {
        "name": name,
        "secret": CLIENTS[name],
        "accounts": list(ACCOUNTS),
        "access_token": ["safe"],
        "origins": [ORIGIN],
        "return_urls": [f"{ORIGIN}/account"],
        "confirm": {"login": "choose", "bind": "tap"} if name == "shop" else "none",
    }
