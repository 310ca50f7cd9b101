"""Use case: handle a push. The effect is committed before the push is acknowledged (docs/adr/0003).

A scan opens a question (service/confirmation/scan.py). The answer (service/confirmation/answers.py) commits the
binding and the ending in SQL, then updates Redis, then replies. After a crash at any step, a redelivery leads to
the same result.
"""

from dataclasses import dataclass

from models.confirmation import could_answer
from models.events import Event, Other, Revoked, Scan, Subscribed, TextMessage, Unsubscribed
from models.scene import Scene, read
from service.audit.log import AuditLog
from service.confirmation.answers import AnswerHandler
from service.confirmation.messages import too_often
from service.confirmation.scan import ScanHandler
from service.identities.follower_refresh import FollowerRefresh
from service.observability.metrics import Metrics
from service.pushes.reply_cache import CachedReply, ReplyCache
from service.pushes.unfollow import UnfollowHandler
from service.rate_limiting.rates import Excess, RateLimits


@dataclass(slots=True, kw_only=True)
class PushDispatcher:
    """Handles pushes and returns the text of the reply; None for no reply."""

    reply_cache: ReplyCache
    limits: RateLimits
    scans: ScanHandler
    answers: AnswerHandler
    follower_refresh: FollowerRefresh
    unfollow: UnfollowHandler
    audit: AuditLog
    metrics: Metrics

    async def handle(self, account: str, event: Event) -> str | None:
        """Handle an event of *account* and return the text of the reply; a redelivery gets the same reply.

        Raises:
            StoreUnavailable: the effect could not be committed, so WeChat must redeliver the push.
        """
        if isinstance(event, Other):
            return None
        if kept := await self.reply_cache.recall(account, event):
            return kept.text
        scene = read(event.scene) if isinstance(event, Scan) else None
        if excess := await self._excess(event, scene):
            self.metrics.limited.labels(excess.limit).inc()
            self.audit.limit_hit(excess.limit, account=account, openid=event.openid)
            text = too_often() if excess.first else None
        else:
            text = await self._handle(account, event, scene)
        if left := await self.reply_cache.remember(account, event, CachedReply(text)):
            await self.unfollow.left(account, event.openid, left)  # unsubscribed while this push was handled
            return None
        return text

    async def _excess(self, event: Event, scene: Scene | None) -> Excess | None:
        """Count a scan or an answer, before SQL is queried; return the limit that it exceeds, if any."""
        match event:
            case Scan():
                return await self.limits.scan(event.openid, scene.head.ticket if scene else None)
            case TextMessage() if could_answer(event.text):
                return await self.limits.scan(event.openid, None)
        return None

    async def _handle(self, account: str, event: Event, scene: Scene | None) -> str | None:
        match event:
            case Scan():
                return await self.scans.scanned(account, event, scene)
            case TextMessage():
                return await self.answers.answered(account, event)
            case Subscribed():
                await self.follower_refresh.store_sender(account, event, followed=True)
            case Unsubscribed():
                await self.unfollow.left(account, event.openid, event.created)
            case Revoked():
                await self.unfollow.revoked(account, event)
        return None
