"""Use case: handle a scan. Open the question, mark the ticket scanned in Redis, reply with the question.

With `confirm: none` the scan confirms the ticket, in one transaction with the follower's row. Then it costs three
round trips to Redis: what is known already, the limits, and, after the commit, all copies of the result.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from models.audit import AuditEvent
from models.events import Scan
from models.scene import Scene
from models.ticket import READABLE_AFTER, Confirm, Ticket
from service.audit.log import AuditLog
from service.confirmation.completion import TicketCompletion
from service.confirmation.messages import Notice
from service.confirmation.open_questions import OpenQuestion, OpenQuestions
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Sender
from service.tickets.status import TicketStatus


@dataclass(frozen=True, slots=True)
class KnownState:
    """What Redis contains when a scan arrives: its ticket, if any, and the questions of its sender."""

    ticket: Ticket | None
    questions: list[OpenQuestion]


@dataclass(frozen=True, slots=True)
class Handled:
    """The text of the reply, None for none."""

    text: str | None
    copies: tuple[Callable[[], Awaitable[object]], ...] = ()
    """Each copies a part of the result to Redis; called once with the storing of the reply."""


@dataclass(slots=True, kw_only=True)
class ScanHandler:
    """Finds the scanned ticket and replies with its question, or with how it ended."""

    verifier: SceneVerifier
    questions: OpenQuestions
    ticket_status: TicketStatus
    completion: TicketCompletion
    follower_refresh: FollowerRefresh
    audit: AuditLog

    def known(self, account: str, scan: Scan, scene: Scene) -> Awaitable[tuple[Ticket | None, list[OpenQuestion]]]:
        """Read the KnownState that `scanned` needs from Redis. Not a coroutine: that would take another task.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        return asyncio.gather(self.ticket_status.stored(scene.head), self.questions.kept(account, scan.openid))

    async def scanned(self, account: str, scan: Scan, scene: Scene, known: KnownState) -> Handled:
        """Handle a scan of *scene*. Another system's QR code gets no reply.

        Raises:
            StoreUnavailable: the effect could not be committed.
        """
        sender = Sender.of(account, scan, followed=scan.followed)
        context = await self.verifier.verify(scene, account=account, openid=scan.openid, lang=None)
        ticket = None
        if context and context.usable:
            ticket = await self.ticket_status.read_afresh(context.claim.head, stored=known.ticket)
            self._note(context, ticket)
            ended = ticket.status.final or ticket.openid not in (None, scan.openid)
            if context.confirm is Confirm.NONE and not ended:
                return await self._confirm(context, scan, sender, ticket, known.questions)
        lang = await self.follower_refresh.store(sender)
        return await self._reply(context.in_language(lang), scan, ticket, known) if context else Handled(None)

    async def _reply(self, context: ScanContext, scan: Scan, ticket: Ticket | None, known: KnownState) -> Handled:
        if ticket is None:
            return Handled(context.notice_text(Notice.OUT_OF_DATE))
        if ticket.openid not in (None, scan.openid):
            return Handled(context.notice_text(Notice.ANOTHER_PERSON))
        opening = partial(self._open, context, scan, known.questions)
        if ticket.status.final:
            # With `confirm: none` it may be a redelivery: the first delivery ended before it copied anything.
            unasked = context.confirm is Confirm.NONE and ticket.openid is not None
            return Handled(context.ending_text(ticket), (opening,) if unasked else ())
        if not await opening():
            return Handled(context.notice_text(Notice.OUT_OF_DATE))
        return Handled(await self._ask(context))

    async def _confirm(
        self, context: ScanContext, scan: Scan, sender: Sender, ticket: Ticket, questions: list[OpenQuestion]
    ) -> Handled:
        ending, lang = await self.completion.confirm_scan(context, ticket, sender)
        showing = partial(self.completion.projection.show, ending, known=ticket)
        opening = partial(self._open, context, scan, questions)
        return Handled(context.in_language(lang).ending_text(ending), (showing, opening))

    def _note(self, context: ScanContext, ticket: Ticket) -> None:
        claim, by_another = context.claim, ticket.openid not in (None, context.openid)
        self.audit.note(
            AuditEvent.SCANNED,
            client=claim.client,
            account=claim.account,
            ticket=claim.head.ticket,
            openid=context.openid,
            detail="taken by another openid" if by_another else ticket.status,
        )

    async def _open(self, context: ScanContext, scan: Scan, known: list[OpenQuestion]) -> bool:
        """Make this the person's newest scan, which closes older questions even with `confirm: none`.

        Return False if there is a newer one.
        """
        asked = OpenQuestion(scene=scan.scene, created=scan.created, lang=context.lang)
        until = context.claim.head.expires_at + READABLE_AFTER
        return await self.questions.open(context.claim.account, scan.openid, asked, until=until, known=known)

    async def _ask(self, context: ScanContext) -> str:
        ticket = await self.ticket_status.mark_scanned(context.claim.head, context.openid)
        if ticket.openid != context.openid:
            return context.notice_text(Notice.ANOTHER_PERSON)
        return context.ending_text(ticket) if ticket.status.final else context.question_text(ticket.requester)
