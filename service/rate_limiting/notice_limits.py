"""Counts notices to a person in Redis, for a minute and a day from the first one.

While Redis does not answer they are not limited: an attacker gains nothing by them.
"""

import logging
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.events import OpenId, pseudonym
from service.storage.redis import redis_errors

log = logging.getLogger(__name__)

PER_MINUTE: Final = 3
PER_DAY: Final = 10
_WINDOWS: Final = (60, 86_400)
"""Seconds."""
# KEYS: the counts of minute and day. ARGV: the seconds and the limit of each. What the minute refuses does not
# count for the day.
_TAKE: Final = """
for number, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, ARGV[2 * number - 1]) end
  if count > tonumber(ARGV[2 * number]) then return 0 end
end
return 1
"""


class NoticeLimits:
    """Limits the notices to one person in one account."""

    def __init__(self, redis: "Redis | RedisCluster") -> None:
        self._take = redis.register_script(_TAKE)

    async def take(self, account: str, openid: OpenId) -> bool:
        """Count a notice; return whether it may be sent."""
        place = f"scanbind:l:notices:{{{account}:{pseudonym(openid)}}}"  # braces: one cluster slot, for the script
        minute, day = _WINDOWS
        try:
            with redis_errors():
                args = [minute, PER_MINUTE, day, PER_DAY]
                return bool(await self._take(keys=[f"{place}:minute", f"{place}:day"], args=args))
        except StoreUnavailable as e:
            log.warning("notices: Redis does not answer, one is not counted: %s", e)
            return True
