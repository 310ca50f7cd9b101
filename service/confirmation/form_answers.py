"""Use case: ask an identified person by a form, of a page or of a mini program, and apply the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.confirmation import Answer, read_form
from models.ticket import Ending, Reason, Status, Ticket
from service.confirmation.completion import TicketCompletion
from service.confirmation.scan_context import ScanContext
from service.identities.followers import Authorized
from service.tickets.status import TicketStatus

_REASONS: Final = {Answer.NOT_ME: Reason.DECLINED, Answer.WRONG_NUMBER: Reason.WRONG_NUMBER}


@dataclass(frozen=True, slots=True)
class Answered:
    """How the ticket ended, by this answer or before it; an open ticket if it has not."""

    end: Ending | Ticket
    refused: Reason | None = None
    """Why this answer refused, if it did. An earlier ending stands nevertheless."""


@dataclass(slots=True, kw_only=True)
class FormAnswers:
    """Opens the question of an identified person, and takes its answer. All methods raise StoreUnavailable."""

    ticket_status: TicketStatus
    completion: TicketCompletion

    async def ask(self, context: ScanContext) -> Ticket:
        """Mark the ticket as scanned by this person, unless it has ended or is another person's; return it."""
        ticket = await self.ticket_status.read_afresh(context.claim.head)
        if ticket.status is Status.PENDING and context.usable:
            return await self.ticket_status.mark_scanned(context.claim.head, context.openid)
        return ticket

    async def answer(
        self, context: ScanContext, person: Authorized | None, answers: Sequence[str]
    ) -> Answered | None:
        """Apply *answers*, unless the ticket has ended or is another person's; None if they are no answer.

        *person* is stored with a yes. Without one they were stored before, and the ticket stays open if they were
        erased since.
        """
        ticket = await self.ticket_status.read_afresh(context.claim.head)
        if over(ticket, context):
            return Answered(ticket)
        match read_form(answers, context.question):
            case None:
                return None
            case Answer.YES:
                if person is None:
                    return Answered(await self.completion.confirm(context, ticket) or ticket)
                ending, _ = await self.completion.confirm_arrival(context, ticket, person)
                await self.completion.projection.show(ending, known=ticket)
                return Answered(ending)
            case refusal:
                # SQL first, as for a yes: of all numbers sent at once, the right one must not overtake the others.
                reason = _REASONS[refusal]
                return Answered(await self.completion.refuse(context.claim, reason, openid=context.openid), reason)


def over(ticket: Ticket, context: ScanContext) -> bool:
    """Tell whether there is nothing to ask this person any more."""
    return ticket.status.final or not context.usable or ticket.openid not in (None, context.openid)
