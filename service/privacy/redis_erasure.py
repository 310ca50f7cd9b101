"""Finds and erases a person's data in Redis. Keys contain the pseudonym of a person, never the openid."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster

from models.binding import UserId
from models.events import pseudonym
from models.scene import read, read_ticket
from models.ticket import Ending, Ticket, TicketId, forget, settle
from service.confirmation.open_questions import OpenQuestions
from service.identities.departures import left_mark
from service.privacy.erasure import Erased
from service.storage.redis import redis_errors
from service.tickets.redirects import PREFIX as REDIRECTS
from service.tickets.store import KEYS, TicketStore

_PAGE: Final = 1000  # keys per SCAN call
_TO_WECHAT: Final = "scanbind:[mrw]:*"
"""Visits to WeChat (service/methods/visits.py, service/tickets/redirects.py), and the people whom mini programs
ask (service/methods/mini_program_scans.py). Their keys contain no openid."""
_GLOB: Final = re.compile(r"[\\*?\[\]]")
_ESCAPED: Final = r"\\\g<0>"


@dataclass(frozen=True, slots=True)
class TicketTraces:
    """Tickets that contain the person's openid, and keys that belong to them alone."""

    tickets: list[Ticket]
    keys: list[str]


@dataclass(slots=True)
class RedisErasure:
    """Searches and erases in Redis, each call with a timeout of *seconds*."""

    redis: "Redis | RedisCluster"
    _: KW_ONLY
    store: TicketStore
    questions: OpenQuestions

    async def forget(
        self,
        erased: Erased,
        *,
        user: tuple[str, UserId] | None = None,
        everywhere: bool = False,
        seconds: float,
    ) -> Counter[str]:
        """Erase the data of those who were *erased* in SQL; return the number of tickets and keys.

        The time of an unsubscribe stays, under the pseudonym, until no push from before it is accepted any more.

        Raises:
            StoreUnavailable: Redis does not answer in time; it may contain some of the data for minutes.
        """
        with redis_errors():
            async with asyncio.timeout(seconds):
                found = await self._find(erased, user=user, everywhere=everywhere)
                for ticket in found.tickets:
                    await self._forget(ticket, erased.cancelled.get(ticket.id))
                for key in found.keys:
                    await self.redis.delete(key)
        return Counter(tickets=len(found.tickets), keys=len(found.keys))

    async def _forget(self, ticket: Ticket, ending: Ending | None) -> None:
        def move(held: Ticket) -> Ticket:
            return settle(forget(held), ending, now=ending.answered_at) if ending else forget(held)

        if head := read_ticket(ticket.id):
            await self.store.update(ticket, move, expires_at=head.expires_at)

    async def find(
        self, erased: Erased, *, user: tuple[str, UserId] | None = None, seconds: float
    ) -> tuple[list[Ticket], dict[str, str]]:
        """Return the tickets, and the keys with their values, that an erasure of *erased* would remove.

        Raises: as `forget`.
        """
        with redis_errors():
            async with asyncio.timeout(seconds):
                found = await self._find(erased, user=user, everywhere=True)
                values = {key: str(await self.redis.get(key) or "") for key in found.keys}
        return found.tickets, values

    async def _find(self, erased: Erased, *, user: tuple[str, UserId] | None, everywhere: bool) -> TicketTraces:
        ids = set(erased.tickets)
        for account, openid in erased.identities:
            scenes = [read(asked.scene) for asked in await self.questions.kept(account, openid)]
            ids.update(scene.head.ticket for scene in scenes if scene)
        if everywhere:
            ids.update([TicketId(key.removeprefix(KEYS)) async for key in self._keys(f"{KEYS}*")])
        loaded = [ticket for one in ids if (ticket := await self.store.load(one))]
        theirs = [it for it in loaded if it.id in erased.tickets or await self._scanned(it, erased)]
        theirs = [it for it in theirs if it != forget(it) or (it.id in erased.cancelled and not it.status.final)]
        keys = {key for pattern in _patterns(erased, user) async for key in self._keys(pattern)}
        if everywhere:
            keys |= {key async for key in self._keys(_TO_WECHAT) if _names(key, await self._record(key), erased)}
        stay = {left_mark(account, openid) for account, openid in erased.identities}
        return TicketTraces(theirs, sorted(keys - stay))

    async def _scanned(self, ticket: Ticket, erased: Erased) -> bool:
        """Tell whether one of *erased* scanned a ticket. A userid is unique in one enterprise alone."""
        accounts = {account for account, openid in erased.identities if openid == ticket.openid}
        if not accounts:
            return False
        redirect = await self._record(REDIRECTS + ticket.id)
        return not redirect or redirect["account"] in accounts

    async def _record(self, key: str) -> Mapping[str, Any]:
        record: Mapping[str, Any] = json.loads(await self.redis.get(key) or "{}")
        return record

    async def _keys(self, pattern: str) -> AsyncIterator[str]:
        async for key in self.redis.scan_iter(match=pattern, count=_PAGE):
            yield str(key)


def _names(key: str, record: Mapping[str, Any], erased: Erased) -> bool:
    """Tell whether a record is about *erased*; that of a mini program does not name the account."""
    account, openid = record.get("account"), record.get("openid")
    person = any(openid == theirs and account in (None, place) for place, theirs in erased.identities)
    return person or not erased.tickets.isdisjoint((record.get("ticket"), key.removeprefix(REDIRECTS)))


def _patterns(erased: Erased, user: tuple[str, UserId] | None) -> list[str]:
    patterns = [f"scanbind:*{pseudonym(openid)}*" for _, openid in erased.identities]
    if user:
        client, user_id = user
        patterns.append(f"scanbind:l:*:{client}:{_GLOB.sub(_ESCAPED, user_id)}:*")
    return patterns
