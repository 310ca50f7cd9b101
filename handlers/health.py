"""For operators and their machines: does it run, is it ready, what did it count (CONTRACT 7)."""

import asyncio
from typing import Final

from aiohttp import web

from handlers.http.responses import json_answer
from service.app_keys import CHECKS, DRAINING, METRICS, Check
from service.observability.metrics import CONTENT_TYPE

_PATIENCE: Final = 2.0


async def live(_: web.Request) -> web.Response:
    """Say that the process runs; touch nothing."""
    return json_answer({"status": "alive"})


async def ready(request: web.Request) -> web.Response:
    """Say whether requests should be sent here, and how each dependency does."""
    checks = request.app[CHECKS]
    states = await asyncio.gather(*map(_state, checks.values()))
    draining = request.app[DRAINING].is_set()
    good = all(state == "ok" for state in states) and not draining
    status = "ready" if good else "draining" if draining else "not ready"
    body = {"status": status, "checks": dict(zip(checks, states, strict=True))}
    return json_answer(body, status=200 if good else 503)


async def metrics(request: web.Request) -> web.Response:
    """Write all figures for Prometheus."""
    return web.Response(body=request.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE})


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except Exception:  # noqa: BLE001 - whatever it is, the dependency does not do its work
        return "down"
    return "ok"
