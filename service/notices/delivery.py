"""Delivers notices of one client into the chat of the person, inside WeChat's windows (docs/adr/0040)."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import sqlalchemy as sa

from models.errors import StoreUnavailable, WeChatUnavailable
from models.events import OpenId
from models.language import Lang
from models.notice import KEPT, UNDO_WITHIN, binding_name, told_by
from models.outbox import State
from models.tables.identities import followers
from models.webhook import WebhookEvent
from service.config.clients import Client
from service.crypto.keyring import Capability, ClientKeys
from service.identities.repository import Identities
from service.notices import messages
from service.observability.metrics import Metrics
from service.outbox.queue import Message, Settlement
from service.outbox.sender import Attempt
from service.rate_limiting.notice_limits import NoticeLimits
from service.storage.database import Database
from service.wechat.api import WeChatApi

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Notices of one client at the same time."""
PAUSES: Final = (timedelta(seconds=5), timedelta(seconds=15))
"""Between tries: most of WeChat's windows are a minute (docs/wechat-protocol.md 4)."""
_BUSY: Final = frozenset({-1, 45011})
_REASONS: Final[Mapping[int | None, str]] = {
    None: "no answer, it may have been sent",
    -1: "WeChat is busy",
    45011: "too many calls in this minute",
    40003: "WeChat does not know the openid",
    43004: "the person does not follow the account",
    45015: "outside WeChat's window",
    45047: "the messages of WeChat's window are used up",
    48001: "the account has no permission",
}
"""What an errcode means; None: no answer (docs/wechat-protocol.md 4)."""
NO_ACCOUNT: Final = "no account to write to"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person in an account that they follow."""

    account: str
    openid: OpenId
    lang: Lang | None


@dataclass(slots=True, kw_only=True)
class NoticeDelivery:
    """A target of the outbox: see `service.outbox.sender.Target`."""

    name: str
    client: Client
    keys: ClientKeys
    public_url: str
    apis: Mapping[str, WeChatApi]
    """Of the client's accounts, in their order."""
    database: Database
    identities: Identities
    limits: NoticeLimits
    metrics: Metrics
    clock: Callable[[], datetime]

    def room(self, connection: sa.Connection, *, now: datetime) -> int:  # noqa: ARG002 - of the protocol
        """Return how many notices may be sent at once."""
        return AT_ONCE

    async def deliver(self, message: Message) -> Attempt:
        """Send a notice. What WeChat refuses, or does not answer, is not tried again: it may have been sent."""
        try:
            fault = await self._send(message)
        except StoreUnavailable:
            settlement = self._failed(message, "a store is unavailable", again=True)
        except WeChatUnavailable as e:
            reason = _REASONS.get(e.errcode, "refused by WeChat")
            told = reason if e.errcode is None else f"errcode {e.errcode}: {reason}"
            settlement = self._failed(message, told, again=e.errcode in _BUSY)
        else:
            settlement = (
                self._failed(message, fault, again=False)
                if fault
                else Settlement(state=State.DELIVERED, at=self.clock())
            )
        outcome = "failed" if settlement.state is State.PENDING else settlement.state
        self.metrics.notices.labels(self.name, outcome).inc()
        return Attempt(settlement)

    async def _send(self, message: Message) -> str | None:
        """Return why a notice cannot be sent; None if it was."""
        now = self.clock()
        if now - message.at > KEPT:
            return "older than 48 hours"
        to = await self.database.read(partial(self._recipient, follower=message.follower_id))
        if to is None:
            return NO_ACCOUNT
        if not message.tries and not await self.limits.take(to.account, to.openid):
            return "too many notices to this person"
        await self.apis[to.account].send_text(to.openid, self._text(message, to.lang or self.client.lang, now))
        return None

    def _recipient(self, connection: sa.Connection, *, follower: int | None) -> Recipient | None:
        """Return where a person can be written to: in the account of the identity itself, if they follow it."""
        order, theirs = list(self.apis), self.identities.persons(connection, followers.c.id == follower)
        usable = [
            it
            for it in theirs
            if it.account in self.apis and it.subscribed and it.appid == self.identities.appids.get(it.account)
        ]
        if not usable:
            return None
        to = min(usable, key=lambda it: (it.id != follower, order.index(it.account)))
        lang = connection.scalar(sa.select(followers.c.lang).where(followers.c.id == to.id))
        return Recipient(to.account, to.openid, lang)

    def _text(self, message: Message, lang: Lang, now: datetime) -> str:
        reason = json.loads(message.payload)["data"].get("reason")
        told = told_by(WebhookEvent(message.event), reason)
        link = None
        if told.undoable and message.follower_id is not None and now < message.at + UNDO_WITHIN:
            name = binding_name(message.follower_id, message.at)
            link = f"{self.public_url}/{Capability.UNDO}/{self.keys.capability(Capability.UNDO, name)}"
        return messages.notice(told, lang=lang, site=self.client.name[lang], at=message.at, now=now, link=link)

    def _failed(self, message: Message, fault: str, *, again: bool) -> Settlement:
        now = self.clock()
        due_at = now + PAUSES[message.tries] if again and message.tries < len(PAUSES) else None
        log.info("notices: %s of client %s was not sent: %s", message.event, self.name, fault)
        state = State.PENDING if due_at else State.DEAD
        return Settlement(state=state, at=now, due_at=due_at, fault=fault)
