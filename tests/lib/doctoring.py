"""What a doctor says who reaches the service at an address."""

from typing import Any

from harness import World

from service.config.settings import Server, Settings
from service.doctor.public_url import check_public_url


def reached_at(world: World, url: str, **server: Any) -> Settings:
    """Return the settings of a doctor who knows the service at *url*."""
    changed = Server.model_validate({**world.settings.server.model_dump(), "public_url": url, **server})
    limits = world.settings.limits.model_copy(update={"waiting": 100})
    return world.settings.model_copy(update={"server": changed, "limits": limits})


async def told(settings: Settings) -> list[str]:
    """Return the findings but for those that concern the loopback."""
    found = [str(one) async for one in check_public_url(settings)]
    return [one for one in found if "only reachable from this machine" not in one]


async def one_fault(world: World, url: str, **server: Any) -> str:
    answers, fault = await told(reached_at(world, url, **server))
    assert answers == f"good     server.public_url: scanbind answers at {url}"
    return fault
