"""Counts wrong passcodes, per person and of all people of an account, for ten minutes from the first one.

Each passcode counts as wrong before it is looked up, so that many sent at once get no further than one by one; a
right one is taken back. Over the limit of all people each still has some tries: a flood locks out no other person.
"""

from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.events import OpenId, pseudonym
from service.rate_limiting.rates import Excess
from service.storage.redis import redis_errors

EACH: Final = 5
"""Wrong passcodes that a person may send (contract.md 8.4)."""
IN_FLOOD: Final = 2
"""The same while all people together are over their limit."""
WINDOW: Final = 600
# KEYS: the counts of the person and of all. ARGV: the window, and what is added.
_COUNT: Final = """
local counts = {}
for number, key in ipairs(KEYS) do
  counts[number] = redis.call('INCRBY', key, ARGV[2])
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, ARGV[1]) end
end
return counts
"""


class PasscodeTries:
    """Counts in Redis. All methods raise StoreUnavailable: passcodes are not read uncounted."""

    def __init__(self, redis: "Redis | RedisCluster", *, of_all: int) -> None:
        self._count = redis.register_script(_COUNT)
        self._of_all = of_all
        """The limit of all people of one account; 0 is none."""

    async def take(self, account: str, openid: OpenId) -> Excess | None:
        """Count a passcode as wrong; return the limit that it exceeds, if any: then it must not be looked up."""
        own, of_all = await self._add(account, openid, 1)
        if own > EACH:
            return Excess("passcodes_per_openid", first=own == EACH + 1)
        if self._of_all and of_all > self._of_all and own > IN_FLOOD:
            return Excess("passcodes_per_account", first=own == IN_FLOOD + 1)
        return None

    async def give_back(self, account: str, openid: OpenId) -> None:
        """Take back the count of a passcode that was right."""
        await self._add(account, openid, -1)

    async def _add(self, account: str, openid: OpenId, count: int) -> tuple[int, int]:
        place = f"scanbind:l:passcodes:{{{account}}}"  # braces: one cluster slot, for the script
        with redis_errors():
            counts = await self._count(keys=[f"{place}:{pseudonym(openid)}", place], args=[WINDOW, count])
        own, of_all = map(int, counts)
        return own, of_all
