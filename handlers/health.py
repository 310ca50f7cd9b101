"""Liveness, readiness and metrics, for operators and their tools (contract.md 7)."""

import asyncio
from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel

from handlers.http.operation import TEXT, Answer, Operation, json_body
from handlers.http.responses import json_answer
from service.app_keys import CHECKS, DRAINING, METRICS, Check
from service.observability.metrics import CONTENT_TYPE

_PATIENCE: Final = 2.0
_State = Literal["ok", "down"]


class Liveness(BaseModel):
    status: Literal["alive"]


class Readiness(BaseModel):
    status: Literal["ready", "not ready", "draining"]
    checks: dict[str, _State]


async def live(_: web.Request) -> Liveness:
    """Report that the process runs, without using any store."""
    return Liveness(status="alive")


async def ready(request: web.Request) -> web.Response:
    """Report whether the process is ready for requests, and the state of each dependency."""
    checks = request.app[CHECKS]
    states = await asyncio.gather(*map(_state, checks.values()))
    draining = request.app[DRAINING].is_set()
    good = all(state == "ok" for state in states) and not draining
    readiness = Readiness(
        status="ready" if good else "draining" if draining else "not ready",
        checks=dict(zip(checks, states, strict=True)),
    )
    return json_answer(readiness, status=200 if good else 503)


async def metrics(request: web.Request) -> web.Response:
    """Return all metrics for Prometheus."""
    return web.Response(body=request.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE})


async def _state(check: Check) -> _State:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except Exception:  # noqa: BLE001 - any error means that the dependency does not work
        return "down"
    return "ok"


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
    ),
    Operation(
        *("health", "readMetrics", "GET", "/metrics", metrics),
        answers={200: Answer("Metrics for Prometheus.", {"text/plain": TEXT})},
    ),
)
