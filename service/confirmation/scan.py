"""Use case: handle a scan, or what stands for one. Open the question, mark the ticket scanned in Redis, and ask.

With `confirm: none` the scan confirms the ticket, in one transaction with the follower's row. Then it costs two
round trips to Redis: what is known already, with the limits, and, after the commit, all copies of the result.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from models.audit import AuditEvent
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
    """The text of the reply, None for none.

    A push is `ours` if it is a scan, an answer or a passcode of the service. What else an account is told may be
    passed on to other systems.
    """

    text: str | None
    copies: tuple[Callable[[], Awaitable[object]], ...] = ()
    """Each copies a part of the result to Redis; called once with the storing of the reply."""
    ours: bool = True


@dataclass(slots=True, kw_only=True)
class ScanHandler:
    """Finds the scanned ticket and replies with its question, or with how it ended."""

    verifier: SceneVerifier
    questions: OpenQuestions
    ticket_status: TicketStatus
    completion: TicketCompletion
    follower_refresh: FollowerRefresh
    audit: AuditLog

    def known(self, sender: Sender, scene: Scene) -> Awaitable[tuple[Ticket | None, list[OpenQuestion]]]:
        """Read the KnownState that `scanned` needs from Redis. Not a coroutine: that would take another task.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        return asyncio.gather(
            self.ticket_status.stored(scene.head), self.questions.kept(sender.account, sender.openid)
        )

    async def scanned(self, sender: Sender, scene: Scene, known: KnownState) -> Handled:
        """Handle a scan of *scene* by the sender of a push. Another system's QR code gets no reply.

        Raises:
            StoreUnavailable: the effect could not be committed.
        """
        context = await self.verifier.verify(scene, account=sender.account, openid=sender.openid, lang=None)
        ticket = None
        if context and context.usable:
            ticket = await self.ticket_status.read_afresh(context.claim.head, stored=known.ticket)
            note_scan(self.audit, context, ticket)
            ended = ticket.status.final or ticket.openid not in (None, sender.openid)
            if context.confirm is Confirm.NONE and not ended:
                return await self._confirm(context, sender, scene, ticket, known.questions)
        lang = await self.follower_refresh.store(sender)
        return (
            await self._reply(context.in_language(lang), sender, scene, ticket, known)
            if context
            else Handled(None, ours=False)
        )

    async def _reply(
        self, context: ScanContext, sender: Sender, scene: Scene, ticket: Ticket | None, known: KnownState
    ) -> Handled:
        if ticket is None:
            return Handled(context.notice_text(Notice.OUT_OF_DATE))
        if ticket.openid not in (None, sender.openid):
            return Handled(context.notice_text(Notice.ANOTHER_PERSON))
        opening = partial(self._open, context, sender, scene, known.questions)
        if ticket.status.final:
            # With `confirm: none` it may be a redelivery: the first delivery ended before it copied anything.
            unasked = context.confirm is Confirm.NONE and ticket.openid is not None
            return Handled(context.ending_text(ticket), (opening,) if unasked else ())
        if not await opening():
            return Handled(context.notice_text(Notice.OUT_OF_DATE))
        return Handled(await self._ask(context))

    async def _confirm(
        self, context: ScanContext, sender: Sender, scene: Scene, ticket: Ticket, questions: list[OpenQuestion]
    ) -> Handled:
        ending, lang = await self.completion.confirm_arrival(context, ticket, sender)
        showing = partial(self.completion.projection.show, ending, known=ticket)
        opening = partial(self._open, context, sender, scene, questions)
        return Handled(context.in_language(lang).ending_text(ending), (showing, opening))

    async def _open(self, context: ScanContext, sender: Sender, scene: Scene, known: list[OpenQuestion]) -> bool:
        """Make this the person's newest scan, which closes older questions even with `confirm: none`.

        Return False if there is a newer one.
        """
        asked = OpenQuestion(scene=scene.text, created=sender.created, lang=context.lang)
        until = context.claim.head.expires_at + READABLE_AFTER
        return await self.questions.open(sender.account, sender.openid, asked, until=until, known=known)

    async def _ask(self, context: ScanContext) -> str:
        ticket = await self.ticket_status.mark_scanned(context.claim.head, context.openid)
        if ticket.openid != context.openid:
            return context.notice_text(Notice.ANOTHER_PERSON)
        return context.ending_text(ticket) if ticket.status.final else context.question_text(ticket.requester)


def note_scan(audit: AuditLog, context: ScanContext, ticket: Ticket) -> None:
    """Note in the audit log that a person was identified for *ticket*."""
    claim, by_another = context.claim, ticket.openid not in (None, context.openid)
    audit.note(
        AuditEvent.SCANNED,
        client=claim.client,
        account=claim.account,
        ticket=claim.head.ticket,
        openid=context.openid,
        detail="taken by another openid" if by_another else ticket.status,
    )
