"""Answers the operator's commands on the control socket of the process (service/control/sockets.py)."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from models.errors import StoreUnavailable
from models.timestamps import rfc3339
from service import app_keys
from service.config.settings import ConfigError
from service.control.sockets import control_socket
from service.server.generations import Generations
from service.server.reloading import Reloading
from service.version import VERSION

log = logging.getLogger(__name__)

_AT_ONCE: Final = 0.01
"""Seconds for commands in progress when the process stops; for aiohttp, 0 means no limit."""


@asynccontextmanager
async def controlled(data_dir: Path, reloading: Reloading) -> AsyncIterator[None]:
    """Answer on a control socket while the context lasts; without one, if it cannot be created, log that."""
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(control_socket(data_dir))
        except (ConfigError, OSError) as error:
            log.warning("control: `scanbind reload` cannot reach this process, SIGHUP can: %s", error)
            yield
            return
        app = web.Application()
        live = reloading.generations
        started = live.app[app_keys.LOADED_AT]
        app.add_routes(
            [web.post("/reload", partial(_reload, reloading)), web.get("/status", partial(_status, live, started))]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_AT_ONCE)
        try:
            await runner.setup()
            await web.SockSite(runner, listener).start()
            yield
        finally:
            await runner.cleanup()


async def _status(live: Generations, started: datetime, _: web.Request) -> web.Response:
    """Describe this process; service/status/examine.py reads it."""
    state = {
        "pid": os.getpid(),
        "version": VERSION,
        "started_at": rfc3339(started, "milliseconds"),
        "loaded_at": rfc3339(live.app[app_keys.LOADED_AT], "milliseconds"),
        "waiting": live.resources.waits.taken,
    }
    return web.json_response(state)


async def _reload(reloading: Reloading, _: web.Request) -> web.Response:
    """Reload the configuration: 200 with what changed, 422 with its faults, 503 if a store does not answer."""
    try:
        reloaded = await reloading.reload()
    except ConfigError as error:
        return web.json_response({"pid": os.getpid(), "faults": error.faults}, status=422)
    except StoreUnavailable as error:
        return web.json_response({"pid": os.getpid(), "faults": [str(error)]}, status=503)
    return web.json_response({"pid": os.getpid(), **asdict(reloaded)})
