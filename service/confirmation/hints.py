"""Use case: reply with a hint to a message that is nearly an answer, at most once a minute.

Best effort: without Redis or SQL there is no hint. None is worth a redelivery.
"""

import logging
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.confirmation import EARLY
from models.errors import StoreUnavailable
from models.events import TextMessage, pseudonym
from models.scene import read
from models.ticket import Confirm
from service.confirmation.open_questions import OpenQuestions
from service.confirmation.scan_context import SceneVerifier
from service.identities.departures import briefly
from service.tickets.status import TicketStatus

log = logging.getLogger(__name__)
_ONCE_IN: Final = 60
"""Seconds per hint to one person: what they write may be meant for the account's other chat."""


@dataclass(slots=True, kw_only=True)
class AnswerHints:
    """Writes hints for people with an open question."""

    redis: "Redis | RedisCluster"
    verifier: SceneVerifier
    questions: OpenQuestions
    ticket_status: TicketStatus

    async def hint(self, account: str, message: TextMessage) -> str | None:
        """Return the hint for *message*, which is nearly an answer; None without an open question or too often."""
        try:
            return await briefly(self._hint(account, message))
        except StoreUnavailable as e:
            log.warning("hint: left a near-answer without a reply: %s", e)
            return None

    async def _hint(self, account: str, message: TextMessage) -> str | None:
        asked = next(iter(await self.questions.of(account, message.openid)), None)
        scene = read(asked.scene) if asked else None
        if asked is None or scene is None or message.created < asked.created - EARLY:
            return None
        context = await self.verifier.verify(scene, account=account, openid=message.openid, lang=asked.lang)
        if context is None or not context.usable or context.confirm is Confirm.NONE:
            return None
        ticket = await self.ticket_status.read_afresh(scene.head)
        if ticket.status.final or ticket.openid not in (None, message.openid):
            return None
        return context.hint_text() if await self._take(account, message) else None

    async def _take(self, account: str, message: TextMessage) -> bool:
        """Return whether *message* is the one that gets the hint of this minute; a redelivery of it is, too."""
        key = f"scanbind:h:{{{account}:{pseudonym(message.openid)}}}"
        if await self.redis.set(key, message.key, nx=True, ex=_ONCE_IN):
            return True
        return bool(await self.redis.get(key) == message.key)
