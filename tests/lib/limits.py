"""Check rate-limited responses and the metrics that count them."""

from aiohttp import ClientResponse
from harness import World, problem

MALLORY = {"X-Forwarded-For": "203.0.113.66"}
ANNA = {"X-Forwarded-For": "203.0.113.7"}
PROXIED = {"server": {"trusted_proxies": ["127.0.0.0/8"]}}


async def refused(response: ClientResponse, *, retry_after: str = "40") -> None:
    await problem(response, 429, "rate-limited")
    assert response.headers["Retry-After"] == retry_after


async def counted(world: World, limit: str) -> int:
    """Return how often the figures say that *limit* was met."""
    text = await (await world.call("GET", "/metrics")).text()
    lines = [line for line in text.splitlines() if line.startswith(f'scanbind_limited_total{{limit="{limit}"}}')]
    return int(float(lines[0].rpartition(" ")[2])) if lines else 0
