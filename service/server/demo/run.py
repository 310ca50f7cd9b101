"""Runs the service, the WeChat sandbox and a demo shop on one machine.

The shop and the sandbox keep nothing after they end; the service stores its data in `data_dir`. Browsers and QR
codes use the printed addresses; the service and the sandbox call each other on this machine.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_urlsafe
from socket import socket
from tempfile import TemporaryDirectory
from typing import Final

import demo.shop
from demo.scanbind import Client
from demo.shop import READY
from models.binding import UserId
from sandbox.kinds import Kind, default_emulated
from service import app_keys
from service.config.settings import Server, validate
from service.server.app import utcnow
from service.server.demo.addresses import EVERYWHERE, Demo, address, browser_addresses, listen, port_of
from service.server.demo.announcement import announcement
from service.server.demo.kinds import KINDS
from service.server.demo.settings import Surroundings, demo_settings
from service.server.demo.sites import draw_own_codes, serving, wechat
from service.server.runner import Running, running

PHONE_PORT: Final = 8082
_SERVER: Final = "SCANBIND_SERVER"


async def run_demo(environ: Mapping[str, str], *, port: int, on_lan: bool, kind: Kind) -> int:
    """Run the demo until SIGINT or SIGTERM; print its addresses; return the exit status.

    Raises: see `trial`.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with trial(environ, port=port, on_lan=on_lan, kind=kind) as where:
        sys.stdout.write(announcement(where, kind))
        sys.stdout.flush()
        await stop.wait()
    return 0


@asynccontextmanager
async def trial(
    environ: Mapping[str, str], *, port: int, on_lan: bool = False, kind: Kind = "all"
) -> AsyncIterator[Demo]:
    """Run all three while the context lasts; a port in use is replaced by a free one.

    SCANBIND_ variables of *environ* configure the service as usual, but for the addresses of WeChat's pages and of
    the shop. *port* is the shop's. With *on_lan* the sites listen on the local network. The shop begins with the
    client of *kind*.

    Raises:
        ConfigError: a variable is wrong, or the folder cannot be used.
        StoreUnavailable: a store does not start.
        OSError: the host is not this machine's or is an IPv6 address, or there is no local network.
    """
    given = {"host": EVERYWHERE} if on_lan else {}
    wanted = _server(environ, **given)
    async with AsyncExitStack() as stack:
        service, shop, phone = (
            stack.enter_context(listen(wanted.host, number)) for number in (wanted.port, port, PHONE_PORT)
        )
        where = browser_addresses(shop=shop, phone=phone, service=service, on_lan=on_lan)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="scanbind-demo-")))
        around = _surroundings(where, folder, shop=shop, phone=phone, service=service)
        settings = demo_settings(around, environ)
        public_url = settings.server.public_url
        emulated = wechat(around.emulated, where, kind=kind, public_url=public_url)
        await stack.enter_async_context(serving(emulated, phone))
        site = await stack.enter_async_context(running(settings, sock=service))
        await _disconnect_ready_users(site)
        front = demo.shop.make_app(
            scanbind_url=public_url,
            phone_url=where.phone,
            sms_url=f"{around.wechat}/sandbox/sms",
            clients=around.clients,
            kind=kind,
        )
        await stack.enter_async_context(serving(front, shop))
        yield where
        await site.drain()


def _surroundings(where: Demo, folder: Path, *, shop: socket, phone: socket, service: socket) -> Surroundings:
    # Over loopback, so that the credentials of the accounts do not change with the network.
    emulated = default_emulated(f"{address(service)}/wechat/main")
    return Surroundings(
        where=where,
        wechat=address(phone),
        emulated=emulated,
        clients={name: Client(one.client, token_urlsafe(24)) for name, one in KINDS.items()},
        pictures=draw_own_codes(emulated, folder, phone=where.phone),
        shop_port=port_of(shop),
    )


def _server(environ: Mapping[str, str], **given: str) -> Server:
    """Return the server's settings, from which the other settings are derived.

    Variables of `accounts` and `clients` are left out here: alone, they are not a complete account or client.
    """
    own = {name: value for name, value in environ.items() if name.startswith(_SERVER)}
    return validate({"server": given}, own).server


async def _disconnect_ready_users(service: Running) -> None:
    """Disconnect the shop's predefined users: their WeChats existed only in an earlier demo."""
    bindings = service.app[app_keys.BINDINGS]
    for kind in KINDS.values():
        for name in READY:
            await bindings.disconnect(kind.client, UserId(name), account=None, now=utcnow())
