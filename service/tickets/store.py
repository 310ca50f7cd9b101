"""Tickets in progress, in Redis. Losing Redis costs a new scan, never an ending (docs/adr/0001)."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster

from models.events import OpenId
from models.requester import Requester
from models.ticket import READABLE_AFTER, Outcome, Reason, Status, Ticket, TicketId
from service.storage.compare_and_swap import CasStore

CHANNEL: Final = "scanbind:tickets"
"""Every change of every ticket is published here, as `encode` writes it."""

KEYS: Final = "scanbind:t:"
"""Prefix of the keys of tickets."""

_NAMED: Final = re.compile(r'\{"id":"([A-Za-z0-9_-]+)","version":([0-9]+),')
_KEPT_AFTER: Final = READABLE_AFTER + timedelta(seconds=60)


class TicketStore:
    """Tickets by id. Each change is a compare-and-swap and is published on CHANNEL.

    *notify* is called with every ticket read or changed here, before its publication arrives. What SQL decided is
    told before Redis has it, as the version after the one known: what Redis has instead replaces it.
    """

    def __init__(
        self, redis: "Redis | RedisCluster", *, notify: Callable[[Ticket], None] = lambda _: None
    ) -> None:
        self._notify = notify
        self._cas = CasStore(redis, channel=CHANNEL)

    async def load(self, ticket: TicketId) -> Ticket | None:
        """Return the ticket; None if Redis does not contain it.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        held = await self._cas.load(_key(ticket))
        return self._notified(decode(held)) if held else None

    async def add(self, ticket: Ticket, *, expires_at: datetime) -> None:
        """Store a new ticket.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        await self._swap(ticket, lambda ticket: ticket, expires_at=expires_at, expected="")

    async def update(
        self,
        ticket: Ticket,
        move: Callable[[Ticket], Ticket],
        *,
        expires_at: datetime,
        expected: Ticket | None = None,
        decided: bool = False,
    ) -> Ticket:
        """Apply *move* to the stored ticket (to *expected* or *ticket* if Redis has none) and return the result.

        *move* returns its argument, the same object, when there is nothing to change. *expected* is the ticket as
        it was read before, which saves reading it again. *decided* says that SQL decided the change, so that it is
        true though Redis may fail.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        held = encode(expected) if expected else None
        return await self._swap(expected or ticket, move, expires_at=expires_at, expected=held, decided=decided)

    async def _swap(
        self,
        ticket: Ticket,
        move: Callable[[Ticket], Ticket],
        *,
        expires_at: datetime,
        expected: str | None,
        decided: bool = False,
    ) -> Ticket:
        def swap(held: str) -> str:
            before = ticket if held in ("", expected) else decode(held)
            after = move(before)
            if held and after is before:
                return held
            # Grows even if Redis was lost, so that a cached older state never replaces a newer one.
            version = max(before.version + 1, time.time_ns() // 1000)
            if decided:  # *before* may have been replaced: what Redis has must count as newer
                self._notify(replace(after, version=before.version + 1))
            return encode(replace(after, version=version))

        until = expires_at + _KEPT_AFTER
        return self._notified(
            decode(await self._cas.change(_key(ticket.id), swap, until=until, expected=expected))
        )

    def _notified(self, ticket: Ticket) -> Ticket:
        self._notify(ticket)
        return ticket


def _key(ticket: TicketId) -> str:
    return KEYS + ticket


def encode(ticket: Ticket) -> str:
    """Encode a ticket as compact JSON, without empty fields."""
    fields: dict[str, Any] = {"id": ticket.id, "version": ticket.version, "status": ticket.status}
    for name in ("openid", "outcome", "reason", "code_used", "qr_url", "erased"):
        fields[name] = getattr(ticket, name)
    for name in ("checked_at", "answered_at"):
        moment = getattr(ticket, name)
        fields[name] = moment and round(moment.timestamp() * 1000)
    requester = {name: getattr(ticket.requester, name) for name in Requester.__slots__}
    fields["asker"] = {name: value for name, value in requester.items() if value is not None}
    kept = {name: value for name, value in fields.items() if value}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def decode(text: str) -> Ticket:
    """Decode the output of `encode`."""
    fields = json.loads(text)
    return Ticket(
        id=TicketId(fields["id"]),
        version=fields["version"],
        status=Status(fields["status"]),
        openid=OpenId(fields["openid"]) if "openid" in fields else None,
        outcome=Outcome(fields["outcome"]) if "outcome" in fields else None,
        reason=Reason(fields["reason"]) if "reason" in fields else None,
        code_used=fields.get("code_used", False),
        qr_url=fields.get("qr_url"),
        erased=fields.get("erased", False),
        checked_at=_moment(fields.get("checked_at")),
        answered_at=_moment(fields.get("answered_at")),
        requester=Requester(**fields.get("asker", {})),
    )


def named(text: str) -> tuple[TicketId, int] | None:
    """Return the id and the version in the output of `encode`; None if they do not come first."""
    found = _NAMED.match(text)
    return (TicketId(found[1]), int(found[2])) if found else None


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
