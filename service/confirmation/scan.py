"""Use case: handle a scan. Open the question, mark the ticket scanned in Redis, reply with the question.

With `confirm: none` the scan confirms the ticket.
"""

from dataclasses import dataclass

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
from service.tickets.status import TicketStatus


@dataclass(slots=True, kw_only=True)
class ScanHandler:
    """Finds the scanned ticket and replies with its question, or with how it ended."""

    verifier: SceneVerifier
    questions: OpenQuestions
    ticket_status: TicketStatus
    completion: TicketCompletion
    follower_refresh: FollowerRefresh
    audit: AuditLog

    async def scanned(self, account: str, scan: Scan, scene: Scene | None) -> str | None:
        """Handle a scan of *scene* and return the reply.

        None if the QR code belongs to another system, or the person unsubscribed meanwhile.

        Raises:
            StoreUnavailable: the effect could not be committed.
        """
        lang = await self.follower_refresh.store_sender(account, scan, followed=scan.followed)
        if scene is None:
            return None
        context = await self.verifier.verify(scene, account=account, openid=scan.openid, lang=lang)
        return await self._answer(context, scan) if context else None

    async def _answer(self, context: ScanContext, scan: Scan) -> str | None:
        if not context.usable:
            return context.notice_text(Notice.OUT_OF_DATE)
        ticket = await self.ticket_status.read_afresh(context.claim.head)
        self._note(context, ticket)
        if ticket.openid not in (None, scan.openid):
            return context.notice_text(Notice.ANOTHER_PERSON)
        if ticket.status.final:
            return context.ending_text(ticket)
        newest = await self._open(context, scan)
        if context.confirm is Confirm.NONE:
            ending = await self.completion.confirm(context, ticket)
            return context.ending_text(ending) if ending else None
        if not newest:
            return context.notice_text(Notice.OUT_OF_DATE)
        return await self._ask(context)

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

    async def _open(self, context: ScanContext, scan: Scan) -> bool:
        """Make this the person's newest scan, which closes older questions even with `confirm: none`.

        Return False if there is a newer one.
        """
        asked = OpenQuestion(scene=scan.scene, created=scan.created, lang=context.lang)
        until = context.claim.head.expires_at + READABLE_AFTER
        return await self.questions.open(context.claim.account, scan.openid, asked, until=until)

    async def _ask(self, context: ScanContext) -> str:
        ticket = await self.ticket_status.mark_scanned(context.claim.head, context.openid)
        if ticket.openid != context.openid:
            return context.notice_text(Notice.ANOTHER_PERSON)
        return context.ending_text(ticket) if ticket.status.final else context.question_text(ticket.requester)
