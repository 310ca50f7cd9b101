"""The two sites beside the demo's service: the WeChat sandbox and the shop."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

import sandbox.app
from sandbox.codes import own_code
from sandbox.kinds import Emulated, Kind
from sandbox.qr_image import png
from service.server.demo.addresses import Demo
from service.server.demo.settings import NAMES

_SHUTDOWN: Final = 2.0


def wechat(emulated: Emulated, where: Demo, *, kind: Kind, public_url: str) -> web.Application:
    """Return the sandbox, whose logins of all kinds lead back to the service at *public_url*.

    The Official Account of *kind* is the first on its phone.
    """
    domain, name = urlsplit(public_url).hostname or "", " ".join(NAMES.values())
    led = emulated.led_by(kind)
    return sandbox.app.make_app(
        [replace(account, oauth_domain=domain) for account in led.accounts],
        [replace(website, domain=domain, name=name) for website in led.websites],
        [replace(program, name=name) for program in led.mini_programs],
        [replace(corp, domain=domain, name=name) for corp in led.wecom_apps],
        public_url=where.phone,
        sites=[where.shop, public_url],
    )


def draw_own_codes(emulated: Emulated, folder: Path, *, phone: str) -> Mapping[str, Path]:
    """Write a picture of the own QR code of each Official Account into *folder*; return them by appid."""
    pictures = {account.appid: folder / f"{account.gh_id}.png" for account in emulated.accounts}
    for account in emulated.accounts:
        pictures[account.appid].write_bytes(png(own_code(account, public_url=phone).url))
    return pictures


@asynccontextmanager
async def serving(app: web.Application, listening: socket) -> AsyncIterator[None]:
    """Serve *app* on *listening* while the context lasts."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()
