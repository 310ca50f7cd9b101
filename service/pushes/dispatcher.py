"""Use case: what a push does. Finished before it is acknowledged (docs/adr/0003).

The order of a scan: the open question, then SCANNED in Redis, then the question as reply; later the answer
(service/confirmation/answers.py) -> binding and ending committed in SQL -> shown in Redis -> reply. With
`confirm: none` the scan answers itself. A crash after any step and a redelivery come to the same end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from models.audit import AuditEvent
from models.confirmation import could_answer
from models.events import Event, Other, Push, Scan, Subscribed, TextMessage, Unsubscribed
from models.language import Lang
from models.scene import read
from models.ticket import READABLE_AFTER, Confirm, Signal, Ticket, advance
from service.audit.log import AuditLog
from service.confirmation.answers import AnswerHandler
from service.confirmation.completion import TicketCompletion
from service.confirmation.messages import Notice, too_often
from service.confirmation.open_questions import OpenQuestion, OpenQuestions
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Followers
from service.observability.metrics import Metrics
from service.pushes.reply_cache import CachedReply, ReplyCache
from service.pushes.unfollow import UnfollowHandler
from service.rate_limiting.rates import Excess, RateLimits
from service.tickets.status import TicketStatus
from service.tickets.store import TicketStore


@dataclass(slots=True, kw_only=True)
class PushDispatcher:
    """Turns pushes into what they do, and returns what the chat says in answer (None: nothing)."""

    verifier: SceneVerifier
    store: TicketStore
    questions: OpenQuestions
    reply_cache: ReplyCache
    ticket_status: TicketStatus
    answers: AnswerHandler
    completion: TicketCompletion
    followers: Followers
    unfollow: UnfollowHandler
    follower_refresh: FollowerRefresh
    audit: AuditLog
    limits: RateLimits
    metrics: Metrics
    clock: Callable[[], datetime]

    async def handle(self, account: str, event: Event) -> str | None:
        """Do what *event* means for *account* and return the reply's text; a redelivery gets the same again.

        Raises:
            StoreUnavailable: its effect could not be made durable, so WeChat must send it again.
        """
        if isinstance(event, Other):
            return None
        if kept := await self.reply_cache.recall(account, event):
            return kept.text
        if excess := await self._excess(event):
            self.metrics.limited.labels(excess.limit).inc()
            self.audit.limit_hit(excess.limit, account=account, openid=event.openid)
            text = too_often() if excess.first else None
        else:
            text = await self._handle(account, event)
        if left := await self.reply_cache.remember(account, event, CachedReply(text)):
            await self.unfollow.left(account, event.openid, left)  # while this was handled
            return None
        return text

    async def _excess(self, event: Event) -> Excess | None:
        """Count a scan or an answer, before it costs anything; who leaves is never too much."""
        match event:
            case Scan():
                scene = read(event.scene)
                return await self.limits.scan(event.openid, scene.head.ticket if scene else None)
            case TextMessage() if could_answer(event.text):
                return await self.limits.scan(event.openid, None)
        return None

    async def _handle(self, account: str, event: Event) -> str | None:
        match event:
            case Scan():
                return await self._scan(account, event)
            case TextMessage():
                return await self.answers.said(account, event)
            case Subscribed():
                await self._meet(account, event, followed=True)
            case Unsubscribed():
                await self.unfollow.left(account, event.openid, event.created)
        return None

    async def _meet(self, account: str, push: Push, *, followed: bool) -> Lang | None:
        """Remember a follower; return their language when it is known."""
        follower = await self.followers.seen(account, push.openid, at=_moment(push), followed=followed)
        self.follower_refresh.refresh(follower)
        return follower.lang

    async def _scan(self, account: str, scan: Scan) -> str | None:
        lang = await self._meet(account, scan, followed=scan.followed)
        context = await self.verifier.verify(scan.scene, account=account, openid=scan.openid, lang=lang)
        if context is None:
            return None  # another system's code: its business
        ticket = await self.ticket_status.read_afresh(context.claim.head)
        self._note(context, ticket)
        if ticket.openid not in (None, scan.openid):
            return context.say(Notice.SOMEBODY_ELSE)
        if ticket.status.final:
            return context.tell(ticket)
        newest = await self._open(context, scan)
        if context.confirm is Confirm.NONE:
            ending = await self.completion.confirm(context, ticket)
            return context.tell(ending) if ending else None
        if not newest:
            return context.say(Notice.OUT_OF_DATE)  # they have scanned another since
        return await self._ask(context, scan)

    def _note(self, context: ScanContext, ticket: Ticket) -> None:
        claim, others = context.claim, ticket.openid not in (None, context.openid)
        self.audit.note(
            AuditEvent.SCANNED,
            client=claim.client,
            account=claim.account,
            ticket=claim.head.ticket,
            openid=context.openid,
            detail="somebody else's" if others else ticket.status,
        )

    async def _open(self, context: ScanContext, scan: Scan) -> bool:
        """Make this the person's newest scan, which closes their older questions even if it asks nothing.

        False if they have scanned a newer one.
        """
        asked = OpenQuestion(scene=scan.scene, created=scan.created)
        until = context.claim.head.expires_at + READABLE_AFTER
        return await self.questions.open(context.claim.account, scan.openid, asked, until=until)

    async def _ask(self, context: ScanContext, scan: Scan) -> str:
        head = context.claim.head
        now = self.clock()
        ticket = await self.store.update(
            Ticket(head.ticket),
            lambda ticket: advance(ticket, Signal.SCAN, now=now, openid=scan.openid),
            expires_at=head.expires_at,
        )
        if ticket.openid != scan.openid:
            return context.say(Notice.SOMEBODY_ELSE)
        return context.tell(ticket) if ticket.status.final else context.ask(ticket.requester)


def _moment(push: Push) -> datetime:
    return datetime.fromtimestamp(push.created, UTC)
