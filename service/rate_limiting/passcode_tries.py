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
# KEYS: the counts of the person and of all. ARGV: the window, and how many a person has. What a person is refused
# must not use up the limit of all.
_TAKE: Final = """
local counts = {}
for number, key in ipairs(KEYS) do
  counts[number] = redis.call('INCR', key)
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, ARGV[1]) end
  if counts[1] > tonumber(ARGV[2]) then return {counts[1], 0} end
end
return counts
"""
# A count that ended meanwhile must not begin below zero.
_GIVE_BACK: Final = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or 0) > 0 then redis.call('DECR', key) end
end
"""


class PasscodeTries:
    """Counts in Redis. All methods raise StoreUnavailable: passcodes are not read uncounted."""

    def __init__(self, redis: "Redis | RedisCluster", *, of_all: int) -> None:
        self._take, self._give_back = redis.register_script(_TAKE), redis.register_script(_GIVE_BACK)
        self._of_all = of_all
        """The limit of all people of one account; 0 is none."""

    async def take(self, account: str, openid: OpenId) -> Excess | None:
        """Count a passcode as wrong; return the limit that it exceeds, if any: then it must not be looked up."""
        with redis_errors():
            counts = await self._take(keys=_keys(account, openid), args=[WINDOW, EACH])
        own, of_all = map(int, counts)
        if own > EACH:
            return Excess("passcodes_per_openid", first=own == EACH + 1)
        if self._of_all and of_all > self._of_all and own > IN_FLOOD:
            return Excess("passcodes_per_account", first=own == IN_FLOOD + 1)
        return None

    async def give_back(self, account: str, openid: OpenId) -> None:
        """Take back the count of a passcode that was right, or was not looked up."""
        with redis_errors():
            await self._give_back(keys=_keys(account, openid))


def _keys(account: str, openid: OpenId) -> list[str]:
    place = f"scanbind:l:passcodes:{{{account}}}"  # braces: one cluster slot, for the script
    return [f"{place}:{pseudonym(openid)}", place]
