"""The whole service on real stores, with WeChat emulated: what a site, a page and a phone can do to it."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, web, web_app
from migrated import put_migrated
from redis.asyncio import Redis, RedisCluster

from models.ticket import TicketId
from sandbox.account import MiniProgram, OfficialAccount, Website, WeComApp
from sandbox.app import AUTHORIZATION, MINI_PROGRAMS, SANDBOX, make_app
from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.emulator import Sandbox
from sandbox.mini_program.programs import MiniPrograms
from sandbox.people import Person
from service.config.settings import Settings, validate
from service.server.reloading import Reloaded, Reloading
from service.server.runner import Running, running
from service.storage.redis import connect

ORIGIN = "https://shop.example"
SECRETS = {"shop": "the shop's own secret", "club": "the club's own secret"}
ACCOUNT = OfficialAccount(
    appid="wx0123456789abcdef",
    secret="5" * 32,
    token="sandboxtoken",
    aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    gh_id="gh_0123456789ab",
    callback_url="",
    oauth_domain="127.0.0.1",
)
SECOND = OfficialAccount(
    appid="wxfedcba9876543210",
    secret="6" * 32,
    token="secondtoken",
    aes_key="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq",
    gh_id="gh_ba9876543210",
    callback_url="",
    oauth_domain="127.0.0.1",
)
WEBSITE = Website(appid="wx00112233445566aa", secret="7" * 32, domain="127.0.0.1", open_platform="acme")
CORP = WeComApp(corpid="ww00112233445566cc", agentid=1000002, secret="c" * 43, domain="127.0.0.1")

MINI = MiniProgram(appid="wx33445566778899bb", secret="8" * 32, open_platform="acme")


class Clock:
    """Real time, plus what a test adds to it; the service and WeChat share it."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self._held: datetime | None = None

    def __call__(self) -> datetime:
        return (self._held or datetime.now(UTC)) + self.ahead

    def hold(self) -> None:
        """Stop the clock: only `advance` moves it, so a slow machine uses up no second that a test counts on."""
        self._held = datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def seconds(self) -> float:
        return self().timestamp()


def free_port() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def client(name: str, **changes: Any) -> dict[str, Any]:
    """Return a client's configuration: asked nothing after a scan, unless changed."""
    return {
        "name": {"zh": "示例商城", "en": "Example shop"},
        "secret": SECRETS[name],
        "accounts": ["main"],
        "origins": [ORIGIN],
        "confirm": "none",
        "lang": "en",
        **changes,
    }


def account(official: OfficialAccount, *, api_base: str, **changes: Any) -> dict[str, Any]:
    return {
        "appid": official.appid,
        "secret": official.secret,
        "token": official.token,
        "aes_key": official.aes_key,
        "oauth": official.oauth,
        "api_base": api_base,
        "open_base": api_base,
        **changes,
    }


def application(app: Website | MiniProgram | WeComApp, *, wechat: str, **changes: Any) -> dict[str, Any]:
    addresses = {"api_base": wechat, "open_base": wechat}
    if isinstance(app, WeComApp):
        known = {"corpid": app.corpid, "agentid": app.agentid, "secret": app.secret}
        return {"kind": "wecom", **known, **addresses, **changes}
    own = {"kind": "website"} if isinstance(app, Website) else {"kind": "miniprogram", "page": app.pages[0]}
    known = {"appid": app.appid, "secret": app.secret, "open_platform": app.open_platform or ""}
    return {**own, **known, **addresses, **changes}


def basic(client: str = "shop", secret: str | None = None) -> dict[str, str]:
    """Return the header of a client's back end, with its own password or another."""
    pair = f"{client}:{SECRETS[client] if secret is None else secret}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def problem(response: ClientResponse, status: int, slug: str) -> dict[str, Any]:
    """Check that *response* is this problem, with all that a problem has (contract.md 3), and return it."""
    told: dict[str, Any] = json.loads(await response.read())
    assert (response.status, told["type"]) == (status, f"/problems/{slug}"), told
    assert response.content_type == "application/problem+json"
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    assert told["instance"] == response.headers["X-Request-Id"] != ""
    return told


@dataclass
class Page:
    """A ticket as the page or site that made it holds it."""

    world: "World"
    made: dict[str, Any]
    status: int

    @property
    def id(self) -> TicketId:
        return TicketId(self.made["ticket"])

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.made['secret']}"}

    async def poll(self) -> dict[str, Any]:
        response = await self.raw()
        assert response.status == 200, await response.text()
        return dict(await response.json())

    async def raw(self, method: str = "GET", suffix: str = "", **headers: str) -> ClientResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        address = f"/v1/tickets/{self.id}{suffix}"
        return await self.world.call(method, address, headers={**self.bearer, **named})

    async def until(self, status: str) -> dict[str, Any]:
        """Follow the ticket by long poll until it has *status*."""
        async with asyncio.timeout(60):
            tag = '""'
            while True:
                response = await self.raw(If_None_Match=tag, Prefer="wait=5")
                if response.status == 200:
                    state: dict[str, Any] = await response.json()
                    if state["status"] == status:
                        return state
                    tag = response.headers["ETag"]


@dataclass
class World:
    """One service, its emulated WeChat, and clients of both."""

    url: str
    http: ClientSession
    wechat: str
    """The address of the emulated WeChat."""
    sandbox: Sandbox
    authorization: WebAuthorization
    programs: MiniPrograms
    redis: Redis | RedisCluster
    settings: Settings
    service: Running
    clock: Clock
    internal: str = ""
    """The address of `server.internal`; of no use if that is not set."""
    people: list[Person] = field(default_factory=list)

    @property
    def app(self) -> web.Application:
        """The application that handles new requests."""
        return self.service.app

    async def reload(self, **sections: Any) -> Reloaded:
        """Replace whole sections of the configuration, and reload it."""
        file = self.settings.data_dir / "config.yaml"
        tree = json.loads(file.read_text()) | sections
        file.write_text(json.dumps(tree))
        return await Reloading(generations=self.service.generations, load=lambda: validate(tree)).reload()

    async def call(self, method: str, path: str, **how: Any) -> ClientResponse:
        response = await self.http.request(method, self.url + path, **how)
        await response.read()
        return response

    async def site(self, method: str, path: str, body: Any = None, *, client: str = "shop") -> ClientResponse:
        """Call as a client's back end."""
        headers = basic(client)
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        return await self.call(method, path, data=data, headers=headers)

    async def login(self, *, client: str = "shop", **fields: Any) -> Page:
        """Start a login as a client's page."""
        response = await self.call(
            "POST",
            "/v1/tickets",
            json={"purpose": "login", "client_id": client, **fields},
            headers={"Origin": ORIGIN},
        )
        assert response.status == 201, await response.text()
        return Page(self, await response.json(), response.status)

    async def bind(self, user_id: str, *, client: str = "shop", **fields: Any) -> Page:
        """Start a bind as a client's back end."""
        response = await self.site(
            "POST", "/v1/tickets", {"purpose": "bind", "user_id": user_id, **fields}, client=client
        )
        assert response.status in (200, 201), await response.text()
        return Page(self, await response.json(), response.status)

    async def bindings(self, user_id: str, *, client: str = "shop") -> list[dict[str, Any]]:
        response = await self.site("GET", f"/v1/bindings/{user_id}", client=client)
        assert response.status == 200
        return list((await response.json())["bindings"])

    async def person(self, *, following: bool = True, language: str = "en", unionid: str | None = None) -> Person:
        """Make a person with a phone, a member of all enterprises.

        For one with a unionid, bind all accounts to one Open Platform account.
        """
        if unionid is not None:
            for official in self.sandbox.accounts:
                self.sandbox.bind_open_platform("acme", account=official.appid)
        person = await self.sandbox.create_user(f"Person {len(self.people)}", language=language, unionid=unionid)
        for app in self.authorization.enterprises.apps:
            self.authorization.enterprises.enroll(person, f"Person-{len(self.people)}", corpid=app.corpid)
        self.people.append(person)
        if following:
            for official in self.sandbox.accounts:
                await self.sandbox.follow(person, by_search=True, account=official.appid)
        return person

    async def scan(self, person: Person, page: Page, **how: Any) -> str | None:
        """Scan a page's code and return what the chat says."""
        scan = await self.sandbox.scan(person, page.made["qr_url"], **how)
        if scan.outcome == "follow_first":
            return (await self.sandbox.follow(person)).reply
        return scan.delivery.reply if scan.delivery else None

    async def say(self, person: Person, text: str, **how: Any) -> str | None:
        """Type into the chat and return what it says."""
        return (await self.sandbox.say(person, text, **how)).reply

    async def bound(self, user_id: str, *, client: str = "shop") -> Person:
        """Return a person whose WeChat is bound to *user_id* (of a client with `confirm: none`)."""
        person = await self.person()
        page = await self.bind(user_id, client=client)
        await self.scan(person, page)
        assert (await page.poll())["status"] == "confirmed"
        return person

    async def exchange(self, code: str, *, client: str = "shop") -> ClientResponse:
        return await self.site("POST", "/v1/exchange", {"code": code}, client=client)


@asynccontextmanager
async def world(
    redis_url: str,
    data_dir: Path,
    *,
    clients: dict[str, Any] | None = None,
    accounts: dict[str, dict[str, Any]] | None = None,
    database_url: str = "embedded",
    official: dict[str, OfficialAccount] | None = None,
    apps: dict[str, Website | MiniProgram | WeComApp] | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """Run the service beside its sandbox; *accounts* changes that of accounts and apps, *clients* replaces all.

    *official* are the accounts, with their web authorization, *apps* the other applications, by name.
    """
    clock = Clock()
    official, apps = {"main": ACCOUNT} if official is None else official, apps or {}
    wechat = make_app(
        list(official.values()),
        [app for app in apps.values() if isinstance(app, Website)],
        [app for app in apps.values() if isinstance(app, MiniProgram)],
        [app for app in apps.values() if isinstance(app, WeComApp)],
        public_url="http://weixin.qq.com",
        clock=clock.seconds,
        retry_interval=0.05,
    )
    runner = web.AppRunner(wechat, access_log=None, shutdown_timeout=1)
    await runner.setup()
    with free_port() as theirs, free_port() as ours:
        await web.SockSite(runner, theirs).start()
        url, emulated = (f"http://127.0.0.1:{sock.getsockname()[1]}" for sock in (ours, theirs))
        tree = {
            "server": {"public_url": url},
            "data_dir": str(data_dir),
            "database": {"url": database_url},
            "redis": {"url": redis_url},
            "secret_key": "k" * 40,
            "accounts": {
                name: account(one, api_base=emulated, **(accounts or {}).get(name, {}))
                for name, one in official.items()
            },
            "apps": {
                name: application(one, wechat=emulated, **(accounts or {}).get(name, {}))
                for name, one in apps.items()
            },
            "clients": clients or {"shop": client("shop"), "club": client("club")},
            **settings,
        }
        if database_url == "embedded":
            put_migrated(data_dir / "scanbind.sqlite3")
        (data_dir / "config.yaml").write_text(json.dumps(tree))  # JSON is YAML
        loaded = validate(tree)  # as `load` would, which takes long to read YAML
        for name, one in official.items():
            wechat[SANDBOX].point(f"{url}/wechat/{name}", account=one.appid)
        for name, app in apps.items():
            if isinstance(app, MiniProgram):
                wechat[MINI_PROGRAMS].publish(replace(app, api=f"{url}/v1/miniprogram/{name}"))
        async with (
            running(loaded, sock=ours, clock=clock) as service,
            ClientSession() as http,
            connect(redis_url) as redis,
        ):
            parts = wechat[SANDBOX], wechat[AUTHORIZATION], wechat[MINI_PROGRAMS]
            internal = f"http://127.0.0.1:{service.internal_port}"
            yield World(url, http, emulated, *parts, redis, loaded, service, clock, internal)
        await runner.cleanup()
    web_app._cached_build_middleware.cache_clear()  # aiohttp would keep every application of the run in memory


@asynccontextmanager
async def emptied(redis_url: str) -> AsyncIterator[Redis]:
    """Empty the Valkey of this process and give a client of it."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        await redis.flushall()
        yield redis


@asynccontextmanager
async def starting(redis_url: str, data_dir: Path) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """Give a function that starts worlds, all of which end with the context."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> World:
            return await stack.enter_async_context(world(redis_url, data_dir, **changes))

        yield start
