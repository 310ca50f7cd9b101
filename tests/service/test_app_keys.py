"""Every resource that handlers may ask the application for is there while it runs.

Covers: service.foundation.
"""

from aiohttp import web
from harness import World

from service import app_keys


async def test_every_key_is_filled(world: World) -> None:
    """Red when a key is added that service/server/app.py does not fill."""
    keys = [value for value in vars(app_keys).values() if isinstance(value, web.AppKey)]
    assert len(keys) > 15
    assert [key for key in keys if key not in world.app] == []
