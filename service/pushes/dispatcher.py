"""Use case: what a push does. Finished before it is acknowledged (docs/adr/0003).

The order of a scan: the open question, then SCANNED in Redis, then the question as reply; later the answer
(service/confirmation/answers.py) -> binding and ending committed in SQL -> shown in Redis -> reply. With
`confirm: none` the scan answers itself. A crash after any step and a redelivery come to the same end.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from models.audit import Happening
from models.confirmation import could_answer
from models.events import Event, Followed, Other, Push, Said, Scan, Unfollowed
from models.language import Lang
from models.scene import read
from models.ticket import READABLE_AFTER, Confirm, Signal, Ticket, advance
from service.audit.log import Audit
from service.confirmation.answers import Answering
from service.confirmation.completion import Concluding
from service.confirmation.messages import Notice, too_often
from service.confirmation.open_questions import Asked, Questions
from service.confirmation.scan_context import Stage, Stages
from service.identities.follower_refresh import Profiles
from service.identities.followers import Followers
from service.observability.metrics import Metrics
from service.pushes.reply_cache import Answered, Deliveries
from service.pushes.unfollow import Leaving
from service.rate_limiting.rates import Excess, Limits
from service.tickets.status import Following
from service.tickets.store import TicketStore


class Scanning:
    """Turns pushes into what they do, and returns what the chat says in answer (None: nothing)."""

    def __init__(
        self,
        *,
        stages: Stages,
        store: TicketStore,
        questions: Questions,
        deliveries: Deliveries,
        following: Following,
        answering: Answering,
        concluding: Concluding,
        followers: Followers,
        leaving: Leaving,
        profiles: Profiles,
        audit: Audit,
        limits: Limits,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._stages = stages
        self._store = store
        self._questions = questions
        self._deliveries = deliveries
        self._following = following
        self._answering = answering
        self._concluding = concluding
        self._followers = followers
        self._leaving = leaving
        self._profiles = profiles
        self._audit = audit
        self._limits = limits
        self._metrics = metrics
        self._clock = clock

    async def handle(self, account: str, event: Event) -> str | None:
        """Do what *event* means for *account* and return the reply's text; a redelivery gets the same again.

        Raises:
            StoreUnavailable: its effect could not be made durable, so WeChat must send it again.
        """
        if isinstance(event, Other):
            return None
        if kept := await self._deliveries.recall(account, event):
            return kept.text
        if excess := await self._excess(event):
            self._metrics.limited.labels(excess.limit).inc()
            self._audit.limit_hit(excess.limit, account=account, openid=event.openid)
            text = too_often() if excess.first else None
        else:
            text = await self._handle(account, event)
        if left := await self._deliveries.remember(account, event, Answered(text)):
            await self._leaving.left(account, event.openid, left)  # while this was handled
            return None
        return text

    async def _excess(self, event: Event) -> Excess | None:
        """Count a scan or an answer, before it costs anything; who leaves is never too much."""
        match event:
            case Scan():
                scene = read(event.scene)
                return await self._limits.scan(event.openid, scene.head.ticket if scene else None)
            case Said() if could_answer(event.text):
                return await self._limits.scan(event.openid, None)
        return None

    async def _handle(self, account: str, event: Event) -> str | None:
        match event:
            case Scan():
                return await self._scan(account, event)
            case Said():
                return await self._answering.said(account, event)
            case Followed():
                await self._meet(account, event, followed=True)
            case Unfollowed():
                await self._leaving.left(account, event.openid, event.created)
        return None

    async def _meet(self, account: str, push: Push, *, followed: bool) -> Lang | None:
        """Remember a follower; return their language when it is known."""
        follower = await self._followers.seen(account, push.openid, at=_moment(push), followed=followed)
        self._profiles.refresh(follower)
        return follower.lang

    async def _scan(self, account: str, scan: Scan) -> str | None:
        lang = await self._meet(account, scan, followed=scan.followed)
        stage = await self._stages.enter(scan.scene, account=account, openid=scan.openid, lang=lang)
        if stage is None:
            return None  # another system's code: its business
        ticket = await self._following.read_afresh(stage.claim.head)
        self._note(stage, ticket)
        if ticket.openid not in (None, scan.openid):
            return stage.say(Notice.SOMEBODY_ELSE)
        if ticket.status.final:
            return stage.tell(ticket)
        newest = await self._open(stage, scan)
        if stage.confirm is Confirm.NONE:
            ending = await self._concluding.confirm(stage, ticket)
            return stage.tell(ending) if ending else None
        if not newest:
            return stage.say(Notice.OUT_OF_DATE)  # they have scanned another since
        return await self._ask(stage, scan)

    def _note(self, stage: Stage, ticket: Ticket) -> None:
        claim, others = stage.claim, ticket.openid not in (None, stage.openid)
        self._audit.note(
            Happening.SCANNED,
            client=claim.client,
            account=claim.account,
            ticket=claim.head.ticket,
            openid=stage.openid,
            detail="somebody else's" if others else ticket.status,
        )

    async def _open(self, stage: Stage, scan: Scan) -> bool:
        """Make this the person's newest scan, which closes their older questions even if it asks nothing.

        False if they have scanned a newer one.
        """
        asked = Asked(scene=scan.scene, created=scan.created)
        until = stage.claim.head.expires_at + READABLE_AFTER
        return await self._questions.open(stage.claim.account, scan.openid, asked, until=until)

    async def _ask(self, stage: Stage, scan: Scan) -> str:
        head = stage.claim.head
        now = self._clock()
        ticket = await self._store.update(
            Ticket(head.ticket),
            lambda ticket: advance(ticket, Signal.SCAN, now=now, openid=scan.openid),
            expires_at=head.expires_at,
        )
        if ticket.openid != scan.openid:
            return stage.say(Notice.SOMEBODY_ELSE)
        return stage.tell(ticket) if ticket.status.final else stage.ask(ticket.asker)


def _moment(push: Push) -> datetime:
    return datetime.fromtimestamp(push.created, UTC)
