"""Liveness, readiness and metrics, for operators and their tools (contract.md 7)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel

from handlers.http.operation import TEXT, Answer, Operation, json_body
from handlers.http.responses import NO_STORE, json_answer
from service.app_keys import CHECKS, CURRENT, DRAINING, METRICS, Check
from service.observability.metrics import CONTENT_TYPE

_PATIENCE: Final = 2.0
_State = Literal["ok", "down"]


class Liveness(BaseModel):
    status: Literal["alive"]


class Readiness(BaseModel):
    status: Literal["ready", "not ready", "draining"]
    checks: dict[str, _State]


async def live(request: web.Request) -> web.Response:
    """Report that the process runs, without using any store."""
    return await liveness(request.app)


async def ready(request: web.Request) -> web.Response:
    """Report whether the process is ready for requests, and the state of each dependency."""
    return await readiness(request.app)


async def metrics(request: web.Request) -> web.Response:
    """Return all metrics for Prometheus."""
    return await exposition(request.app)


async def liveness(_: web.Application) -> web.Response:
    """Return that the process runs."""
    return json_answer(Liveness(status="alive"))


async def readiness(app: web.Application) -> web.Response:
    """Return the state of each dependency of *app*; 503 if one is down, or the process is stopping."""
    checks = app[CHECKS]
    states = await asyncio.gather(*map(_state, checks.values()))
    draining = app[CURRENT]()[DRAINING].is_set()  # a reload ends this application, not the process
    good = all(state == "ok" for state in states) and not draining
    state = Readiness(
        status="ready" if good else "draining" if draining else "not ready",
        checks=dict(zip(checks, states, strict=True)),
    )
    return json_answer(state, status=200 if good else 503)


async def exposition(app: web.Application) -> web.Response:
    """Return all metrics of *app* in the Prometheus text format."""
    return web.Response(body=app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE, **NO_STORE})


async def _state(check: Check) -> _State:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except Exception:  # noqa: BLE001 - any error means that the dependency does not work
        return "down"
    return "ok"


REPORTS: Final[Mapping[str, Callable[[web.Application], Awaitable[web.Response]]]] = {
    "/livez": liveness,
    "/readyz": readiness,
    "/metrics": exposition,
}
"""What an operator's tools ask of an application, by path."""
OPERATIONS: Final = (
    Operation(
        "health", "readLiveness", "GET", "/livez", live, answers={200: json_body("The process runs.", Liveness)}
    ),
    Operation(
        *("health", "readReadiness", "GET", "/readyz", ready),
        answers={
            200: json_body("Ready for requests.", Readiness),
            503: json_body("Not ready: a dependency is down, or the process is stopping.", Readiness),
        },
        internal=True,
    ),
    Operation(
        *("health", "readMetrics", "GET", "/metrics", metrics),
        answers={200: Answer("Metrics for Prometheus.", {"text/plain": TEXT})},
        internal=True,
    ),
)
