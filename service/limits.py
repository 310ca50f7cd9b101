"""How often pages may ask for a code: counted per minute in Redis, for all processes together."""

import ipaddress
import time
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.errors import RateLimited
from service.cleaning import parsed_address
from service.redis import redis_errors

_WINDOW: Final = 60
_COUNT: Final = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class Limits:
    """Codes for pages (logins, and binds in the portal), per address and per client; 0 stands for no limit."""

    def __init__(self, redis: "Redis | RedisCluster", *, per_address: int, per_client: int) -> None:
        self._count = redis.register_script(_COUNT)
        self._per_address = per_address
        self._per_client = per_client

    async def page_starts(self, *, client: str, address: str) -> None:
        """Count one more login started by a page at *address*.

        Raises:
            RateLimited: too many in this minute; says when the next begins.
            StoreUnavailable: Redis does not answer, so nothing can be counted.
        """
        await self._take(f"address:{_network(address)}", self._per_address)
        await self._take(f"client:{client}", self._per_client)

    async def _take(self, whose: str, limit: int) -> None:
        if not limit:
            return
        minute, passed = divmod(int(time.time()), _WINDOW)
        with redis_errors():
            count = await self._count(keys=[f"scanbind:l:{whose}:{minute}"], args=[2 * _WINDOW])
        if int(count) > limit:
            raise RateLimited("too many codes were asked for; wait a little", retry_after=_WINDOW - passed)


def _network(address: str) -> str:
    """Count an IPv6 subscriber as one, whichever of their addresses they use."""
    ip = parsed_address(address)
    if ip is None:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)
