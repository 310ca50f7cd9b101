"""The sandbox as an aiohttp application, and as a standalone server."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from aiohttp import web
from yarl import URL

from sandbox import camera_api, control_api, phone_page, sms, wechat_api
from sandbox.access import guard
from sandbox.account import MiniProgram, OfficialAccount, Website, WeComApp
from sandbox.announcement import announcement
from sandbox.authorization import consent_api, pages, picture_server, sns_api
from sandbox.authorization.sns_api import AUTHORIZATION
from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.emulator import Sandbox
from sandbox.in_app_browser import browser
from sandbox.in_app_browser.known_sites import KnownSites
from sandbox.kinds import Emulated, Kind
from sandbox.mini_program import api, files
from sandbox.mini_program import control_api as program_control_api
from sandbox.mini_program.api import MINI_PROGRAMS
from sandbox.mini_program.programs import MiniPrograms
from sandbox.wechat_api import SANDBOX
from sandbox.wecom import control as wecom_control
from sandbox.wecom import pages as wecom_pages
from sandbox.wecom import wecom_api

__all__ = [
    "AUTHORIZATION",
    "MINI_PROGRAMS",
    "SANDBOX",
    "OfficialAccount",
    "Sandbox",
    "make_app",
    "serve",
]

_PARTS: Final = (
    *(wechat_api, control_api, camera_api, phone_page, sns_api, pages, picture_server, consent_api, browser),
    *(api, program_control_api, files),
    sms,
    *(wecom_api, wecom_pages, wecom_control),
)


def make_app(
    accounts: Sequence[OfficialAccount],
    websites: Sequence[Website] = (),
    mini_programs: Sequence[MiniProgram] = (),
    wecom_apps: Sequence[WeComApp] = (),
    *,
    public_url: str,
    sites: Collection[str] = (),
    clock: Callable[[], float] = time.time,
    retry_interval: float = 5.0,
    answer_within: float = 5.0,
) -> web.Application:
    """Return the application.

    `app[SANDBOX]`, `app[AUTHORIZATION]` and `app[MINI_PROGRAMS]` control it from the same process. Codes contain
    addresses below `public_url`. `sites` are addresses whose pages can be opened inside WeChat, beside those of
    accounts and websites; the phone page suggests the first. `clock` returns seconds since 1970. `retry_interval`:
    seconds between the deliveries of a push. `answer_within`: the timeout of one delivery, in seconds.
    """
    app = web.Application(middlewares=[guard(lambda request: request.app[SANDBOX].public_url)])
    app[SANDBOX] = Sandbox(
        accounts,
        public_url=public_url.rstrip("/"),
        clock=clock,
        retry_interval=retry_interval,
        answer_within=answer_within,
    )
    app[AUTHORIZATION] = WebAuthorization(app[SANDBOX], websites, wecom_apps)
    app[MINI_PROGRAMS] = MiniPrograms(app[SANDBOX], mini_programs)
    known = KnownSites(app[SANDBOX], app[AUTHORIZATION], tuple(map(URL, sites)))
    app[browser.KEY] = browser.InAppBrowser(known, app[AUTHORIZATION])
    for part in _PARTS:
        part.add_routes(app)
    app.cleanup_ctx.append(_opened)
    return app


async def _opened(app: web.Application) -> AsyncIterator[None]:
    async with app[SANDBOX]:
        yield


async def serve(
    *,
    host: str,
    port: int,
    emulated: Emulated,
    kind: Kind = "all",
    public_url: str | None,
) -> None:
    """Serve until SIGINT, SIGTERM or cancellation; once listening, print the address and what to configure.

    What is printed is of *kind*, whose account is the first on the phone. `port` 0 takes a free one. Raises
    OSError when the address is in use.
    """
    # A parent process may send a signal as soon as it has read the announcement.
    with _stop_signals() as stop, _listen(host, port) as sock:
        address = public_url or f"http://{_bracketed(host)}:{sock.getsockname()[1]}"
        runner = web.AppRunner(
            make_app(*emulated.led_by(kind), public_url=address),
            access_log=None,
            shutdown_timeout=2,
        )
        await runner.setup()
        try:
            await web.SockSite(runner, sock).start()
            sys.stdout.write(announcement(emulated.of(kind), address=address))
            sys.stdout.flush()
            await stop.wait()
        finally:
            await runner.cleanup()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """Yield an event that SIGINT and SIGTERM set, if the event loop can handle signals."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    caught: list[signal.Signals] = []
    with suppress(NotImplementedError, RuntimeError):  # Windows, or not the main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
            caught.append(number)
    try:
        yield stop
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
