"""For operators and their machines: does it run, is it ready, what did it count (contract.md 7)."""

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
    """Say that the process runs; touch nothing."""
    return Liveness(status="alive")


async def ready(request: web.Request) -> web.Response:
    """Say whether requests should be sent here, and how each dependency does."""
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
    """Write all figures for Prometheus."""
    return web.Response(body=request.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE})


async def _state(check: Check) -> _State:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except Exception:  # noqa: BLE001 - whatever it is, the dependency does not do its work
        return "down"
    return "ok"


OPERATIONS: Final = (
    Operation(
        "health", "readLiveness", "GET", "/livez", live, answers={200: json_body("The process runs.", Liveness)}
    ),
    Operation(
        *("health", "readReadiness", "GET", "/readyz", ready),
        answers={
            200: json_body("Requests may be sent here.", Readiness),
            503: json_body("Not now; a dependency is down, or the service stops.", Readiness),
        },
    ),
    Operation(
        *("health", "readMetrics", "GET", "/metrics", metrics),
        answers={200: Answer("Figures for Prometheus.", {"text/plain": TEXT})},
    ),
)
