"""Use case: handle a push. The effect is committed before the push is acknowledged (docs/adr/0003).

A scan opens a question (service/confirmation/scan.py). The answer (service/confirmation/answers.py) commits the
binding and the ending in SQL, then updates Redis, then replies. After a crash at any step, a redelivery leads to
the same result.
"""

import asyncio
from dataclasses import dataclass, field

from models.confirmation import could_answer
from models.events import Event, OpenId, Other, Push, Revoked, Scan, Subscribed, TextMessage, Unsubscribed
from models.method import Method
from models.scene import Scene, read
from models.ticket import TicketId
from service.audit.log import AuditLog
from service.confirmation.answers import AnswerHandler
from service.confirmation.messages import too_often
from service.confirmation.scan import Handled, KnownState, ScanHandler
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Sender
from service.methods.passcode_reader import PasscodeReader
from service.observability.metrics import Metrics
from service.pushes.greetings import Greetings
from service.pushes.other_chat import OtherChat, Pushed
from service.pushes.reply_cache import CachedReply, Reply, ReplyCache
from service.pushes.unfollow import UnfollowHandler
from service.rate_limiting.rates import Excess, RateLimits


@dataclass(slots=True, kw_only=True)
class PushDispatcher:
    """Handles pushes and returns the reply; None for no reply."""

    reply_cache: ReplyCache
    limits: RateLimits
    scans: ScanHandler
    answers: AnswerHandler
    passcodes: PasscodeReader
    follower_refresh: FollowerRefresh
    unfollow: UnfollowHandler
    audit: AuditLog
    metrics: Metrics
    greetings: Greetings
    other_chat: OtherChat
    _running: "set[asyncio.Task[Reply]]" = field(default_factory=set, init=False)

    async def handle(self, account: str, event: Event, pushed: Pushed | None = None) -> Reply:
        """Handle an event of *account* and return the reply; a redelivery gets the same reply.

        What is not the service's own is passed on as *pushed*, if given, and the reply may be that of a target.

        A cancelled caller, whose time is up, does not stop it: with stores that answer slowly, the redelivery then
        finds the effect committed.

        Raises:
            StoreUnavailable: the effect could not be committed, so WeChat must redeliver the push.
        """
        handling = asyncio.create_task(self._handle(account, event, pushed))
        self._running.add(handling)
        handling.add_done_callback(self._running.discard)
        return await asyncio.shield(handling)

    async def finish(self) -> None:
        """Wait until all pushes are handled whose callers were cancelled."""
        while self._running:
            await asyncio.wait(self._running)
        await self.other_chat.forwarding.finish()

    async def _handle(self, account: str, event: Event, pushed: Pushed | None) -> Reply:
        if pushed and not self.other_chat.configured(account):
            pushed = None
        if isinstance(event, Other) and not pushed:
            return None
        scene = _scanned(event) if isinstance(event, Scan) else None
        kept, known, excess = await self._begin(account, event, scene)
        if kept:
            await self._uncount(account, event, scene, excess)  # a redelivery is not another scan
            return kept.reply
        if excess:
            self.metrics.limited.labels(excess.limit).inc()
            self.audit.limit_hit(excess.limit, account=account, openid=event.openid)
            handled = Handled(too_often() if excess.first else None)
        elif isinstance(event, Scan) and scene and known:
            handled = await self.scans.scanned(Sender.of(account, event), scene, known)
            if not handled.ours:
                handled = await self._handle_other(account, event)
        else:
            handled = await self._handle_other(account, event)
        reply = await self._pass_on(account, event, pushed, handled) if pushed else handled.text
        if left := await self._remember(account, event, handled, reply):
            await self.unfollow.left(account, event.openid, left)  # unsubscribed while this push was handled
            return None
        return reply

    async def _pass_on(self, account: str, event: Event, pushed: Pushed, handled: Handled) -> Reply:
        """Return the reply of the account's other systems, unless the push is the service's own."""
        if not handled.ours:
            return await self.other_chat.reply(account, event, pushed, text=handled.text)
        self.other_chat.copy(account, event, pushed)
        return handled.text

    async def _begin(
        self, account: str, event: Event, scene: Scene | None
    ) -> tuple[CachedReply | None, KnownState | None, Excess | None]:
        """Read the stored reply and what Redis knows of a scan, and count it, in one round trip."""
        recalling, counting = self.reply_cache.recall(account, event), self._excess(account, event, scene)
        if isinstance(event, Scan) and scene:
            reading = self.scans.known(Sender.of(account, event), scene)
            kept, known, excess = await asyncio.gather(recalling, reading, counting)
            return kept, KnownState(*known), excess
        kept, excess = await asyncio.gather(recalling, counting)
        return kept, None, excess

    async def _remember(self, account: str, event: Push, handled: Handled, reply: Reply) -> int | None:
        """Store the reply, copy the result; return when the person unsubscribed, if that was after this push."""
        # In this order, which a cluster does not keep: an unsubscribe at the same time finds the copies and the
        # reply, or is found after them. A reply that is stored too late expires by itself.
        remembering = self.reply_cache.remember(account, event, CachedReply(reply))
        copying = (copy() for copy in handled.copies)
        *copied, left = await asyncio.gather(*copying, remembering, return_exceptions=True)
        if isinstance(left, int):
            return left  # what could not be copied is of a person who is erased now
        for failure in (*copied, left):
            if isinstance(failure, BaseException):
                raise failure
        return None

    async def _excess(self, account: str, event: Event, scene: Scene | None) -> Excess | None:
        """Count a scan or an answer, before SQL is queried; return the limit that it exceeds, if any."""
        return await self.limits.scan(*counted) if (counted := self._counted(account, event, scene)) else None

    async def _uncount(self, account: str, event: Event, scene: Scene | None, excess: Excess | None) -> None:
        if counted := self._counted(account, event, scene):
            await self.limits.take_back_scan(*counted, excess)

    def _counted(self, account: str, event: Event, scene: Scene | None) -> tuple[OpenId, TicketId | None] | None:
        """Return by what a push is counted; None if it is neither a scan nor could be an answer."""
        match event:
            case Scan():
                return event.openid, scene.head.ticket if scene else None
            case TextMessage() if could_answer(event.text) or self.passcodes.reads(account, event.text):
                return event.openid, None
        return None

    async def _handle_other(self, account: str, event: Event) -> Handled:
        match event:
            case TextMessage() if self.passcodes.reads(account, event.text):
                return await self.passcodes.sent(account, event)
            case TextMessage():
                text = await self.answers.answered(account, event)
                return Handled(text, ours=text is not None)
            case Scan(followed=False):
                await self.follower_refresh.store(Sender.of(account, event))
            case Scan() | Subscribed():
                lang = await self.follower_refresh.store(Sender.of(account, event))
                return Handled(self.greetings.text(account, lang), ours=False)
            case Unsubscribed():
                await self.unfollow.left(account, event.openid, event.created)
            case Revoked():
                await self.unfollow.revoked(account, event)
        return Handled(None, ours=False)


def _scanned(push: Scan) -> Scene | None:
    """Return the scene of our own QR code that was scanned; None for another system's."""
    scene = read(push.scene)
    # A ticket may be known, as it is logged: one of another method must not become a scan.
    return scene if scene and scene.head.method is Method.SCAN else None
