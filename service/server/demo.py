"""Runs the service, the WeChat sandbox and a demo shop on one machine.

The shop and the sandbox keep nothing after they end; the service stores its data in `data_dir`. Browsers and QR
codes use the printed addresses; the service and the sandbox call each other on this machine.
"""

import asyncio
import errno
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from aiohttp import web

import demo.shop
import sandbox.account
import sandbox.app
from demo.scanbind import Client
from demo.shop import DONE, READY
from models.binding import UserId
from sandbox.account import MiniProgram, OfficialAccount, Website, WeComApp
from sandbox.codes import own_code
from sandbox.qr_image import png
from service import app_keys
from service.config.section import Section
from service.config.settings import Server, Settings, validate
from service.server import lan_address
from service.server.app import utcnow
from service.server.runner import Running, running

_Part = TypeVar("_Part", bound=Section)
CLIENT: Final = "shop"
_NAMES: Final = {"zh": "示例商城", "en": "Example shop"}
PHONE_PORT: Final = 8082
DATA_DIR: Final = Path("var") / "demo"
_LATER: Final = "http://127.0.0.1"
"""Stands for addresses that `_with_addresses` puts in."""
_SERVER: Final = "SCANBIND_SERVER"
_SHUTDOWN: Final = 2.0
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - compared here, and listened on only with --lan
"""The host of a socket that listens on all addresses."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The addresses of the three sites for browsers, without a trailing slash."""

    shop: str
    phone: str
    service: str
    shared: bool
    """Whether other machines can reach them."""


async def run_demo(environ: Mapping[str, str], *, port: int, on_lan: bool) -> int:
    """Run the demo until SIGINT or SIGTERM; print its addresses; return the exit status.

    Raises: see `trial`.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with trial(environ, port=port, on_lan=on_lan) as where:
        sys.stdout.write(_announcement(where))
        sys.stdout.flush()
        await stop.wait()
    return 0


@asynccontextmanager
async def trial(environ: Mapping[str, str], *, port: int, on_lan: bool = False) -> AsyncIterator[Demo]:
    """Run all three while the context lasts; a port in use is replaced by a free one.

    SCANBIND_ variables of *environ* configure the service as usual, but for the addresses of WeChat's pages and of
    the shop. *port* is the shop's. With *on_lan* the sites listen on the local network.

    Raises:
        ConfigError: a variable is wrong, or the folder cannot be used.
        StoreUnavailable: a store does not start.
        OSError: the host is not this machine's or is an IPv6 address, or there is no local network.
    """
    given = {"host": _EVERYWHERE} if on_lan else {}
    wanted = _server(environ, **given)
    async with AsyncExitStack() as stack:
        service, shop, phone = (
            stack.enter_context(_listen(wanted.host, number)) for number in (wanted.port, port, PHONE_PORT)
        )
        where = _browser_addresses(shop=shop, phone=phone, service=service, on_lan=on_lan)
        # Over loopback, so that the account's credentials do not change with the network.
        callback, wechat, password = f"{_address(service)}/wechat/main", _address(phone), secrets.token_urlsafe(24)
        apps = _Apps.of(callback)
        picture = Path(stack.enter_context(TemporaryDirectory(prefix="scanbind-demo-"))) / "account.png"
        picture.write_bytes(png(own_code(apps.account, public_url=where.phone).url))
        values = _values(where, apps, password=password, wechat=wechat, shop_port=_port(shop))
        values["accounts"]["main"]["picture"] = str(picture)
        settings = _with_addresses(validate(values, environ), where, wechat=wechat)
        public_url = settings.server.public_url
        await stack.enter_async_context(_site(_wechat(apps, where, public_url=public_url), phone))
        site = await stack.enter_async_context(running(settings, sock=service))
        await _disconnect_ready_users(site)
        front = demo.shop.make_app(
            scanbind_url=public_url,
            phone_url=where.phone,
            sms_url=f"{wechat}/sandbox/sms",
            clients={"all": Client(CLIENT, password)},
            kind="all",
        )
        await stack.enter_async_context(_site(front, shop))
        yield where
        await site.drain()


def _server(environ: Mapping[str, str], **given: str) -> Server:
    """Return the server's settings, from which the other settings are derived.

    Variables of `accounts` and `clients` are left out here: alone, they are not a complete account or client.
    """
    own = {name: value for name, value in environ.items() if name.startswith(_SERVER)}
    return validate({"server": given}, own).server


def _values(where: Demo, apps: "_Apps", *, password: str, wechat: str, shop_port: int) -> dict[str, Any]:
    """Return the demo's settings, in the shape of config.yaml."""
    account, website, mini, corp = apps.account, apps.website, apps.mini, apps.corp
    return {
        "data_dir": str(DATA_DIR),
        "server": {"public_url": where.service},
        "accounts": {
            "main": {
                "appid": account.appid,
                "secret": account.secret,
                "token": account.token,
                "aes_key": account.aes_key,
                "mode": account.mode,
                "open_platform": account.open_platform,
                "oauth": account.oauth,
                "name": account.name,
                "api_base": wechat,
                "open_base": _LATER,
            }
        },
        "apps": {
            "site": {
                "kind": "website",
                "appid": website.appid,
                "secret": website.secret,
                "open_platform": website.open_platform,
                "api_base": _LATER,
                "open_base": _LATER,
            },
            "mini": {
                "kind": "miniprogram",
                "appid": mini.appid,
                "secret": mini.secret,
                "open_platform": mini.open_platform,
                "page": mini.pages[0],
                "api_base": wechat,
            },
            "corp": {
                "kind": "wecom",
                "corpid": corp.corpid,
                "agentid": corp.agentid,
                "secret": corp.secret,
                "api_base": _LATER,
                "open_base": _LATER,
            },
        },
        "clients": {
            CLIENT: {
                "name": _NAMES,
                "secret": password,
                "accounts": ["main"],
                "apps": ["site", "mini", "corp"],
                "methods": ["scan", "link", "miniprogram", "passcode", "website", "wecom", "h5"],
                "return_urls": [_LATER],
                "origins": [where.shop, f"http://127.0.0.1:{shop_port}", f"http://localhost:{shop_port}"],
            }
        },
    }


def _with_addresses(settings: Settings, where: Demo, *, wechat: str) -> Settings:
    """Return *settings* with addresses of a network, which may not be http in a configuration."""
    done = tuple(one + DONE for one in settings.clients[CLIENT].origins)
    return settings.model_copy(
        update={
            "accounts": _changed(settings.accounts, "main", open_base=where.phone),
            "apps": _changed(
                _changed(settings.apps, "site", open_base=where.phone, api_base=wechat),
                "corp",
                open_base=where.phone,
                api_base=wechat,
            ),
            "clients": _changed(settings.clients, CLIENT, return_urls=done),
        }
    )


def _changed(sections: Mapping[str, _Part], name: str, **values: object) -> Mapping[str, _Part]:
    return {**sections, name: sections[name].model_copy(update=values)}


@dataclass(frozen=True, slots=True)
class _Apps:
    """What the sandbox emulates: an account and an application of each kind."""

    account: OfficialAccount
    website: Website
    mini: MiniProgram
    corp: WeComApp

    @classmethod
    def of(cls, callback: str) -> "_Apps":
        """Return those whose pushes and calls go to the service at *callback*."""
        own = sandbox.account
        return cls(
            own.default_account(callback),
            own.default_website(callback),
            own.default_mini_program(callback),
            own.default_wecom_app(callback),
        )


def _wechat(apps: _Apps, where: Demo, *, public_url: str) -> web.Application:
    """Return the sandbox, whose logins of all kinds lead back to the service at *public_url*."""
    domain, name = urlsplit(public_url).hostname or "", " ".join(_NAMES.values())
    return sandbox.app.make_app(
        [replace(apps.account, oauth_domain=domain)],
        [replace(apps.website, domain=domain, name=name)],
        [replace(apps.mini, name=name)],
        [replace(apps.corp, domain=domain, name=name)],
        public_url=where.phone,
        sites=[where.shop, public_url],
    )


async def _disconnect_ready_users(service: Running) -> None:
    """Disconnect the shop's predefined users: their WeChats existed only in an earlier demo."""
    for name in READY:
        await service.app[app_keys.BINDINGS].disconnect(CLIENT, UserId(name), account=None, now=utcnow())


def _listen(host: str, port: int) -> socket.socket:
    if ":" in host:
        # A content security policy cannot contain one (CSP 3, 2.3.1): the shop's page could not load the QR code.
        raise OSError(errno.EAFNOSUPPORT, "the demo needs an IPv4 address in SCANBIND_SERVER__HOST")
    try:
        return socket.create_server((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return socket.create_server((host, 0))


def _browser_addresses(*, shop: socket.socket, phone: socket.socket, service: socket.socket, on_lan: bool) -> Demo:
    """Return the addresses for browsers: on the local network if it is used, else on this machine."""
    host = lan_address.own_address() if on_lan and _host(shop) == _EVERYWHERE else None
    return Demo(
        shop=_address(shop, host),
        phone=_address(phone, host),
        service=_address(service, host),
        shared=not ip_address(_host(shop)).is_loopback,
    )


def _address(listening: socket.socket, host: str | None = None) -> str:
    """Return the URL of *listening* at *host*; without *host*, the URL on this machine."""
    own = "127.0.0.1" if _host(listening) == _EVERYWHERE else _host(listening)
    return f"http://{host or own}:{_port(listening)}"


def _host(listening: socket.socket) -> str:
    return str(listening.getsockname()[0])


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


@asynccontextmanager
async def _site(app: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()


def _announcement(where: Demo) -> str:
    users = " or ".join(f"{name}/{name}" for name in READY)
    return (
        f"scanbind demo is ready: {where.shop}/\n\n"
        f"  shop     {where.shop}/   sign in as {users}\n"
        f"  phone    {where.phone}/   the WeChat sandbox: scans the shop's QR codes, opens its pages\n"
        f"  service  {where.service}/\n\n"
        f"{_SHARED if where.shared else ''}"
        "Press Ctrl-C to stop it.\n"
    )


_SHARED: Final = (
    "Every machine on this network can use all three while the demo runs.\n"
    "A phone on it can scan the shop's QR codes with its own camera.\n\n"
)
