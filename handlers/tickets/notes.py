"""Notes beside cached tickets, by which requests are answered before the router (docs/adr/0025).

The answer that creates a ticket leaves one, and so does a poll that went through the router. A note lasts as long
as the cache holds this state of the ticket (service/tickets/feed.py).
"""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from handlers.http.authentication import Holder
from handlers.tickets.answers import Answer
from models.ticket import Ticket, TicketId
from service.app_keys import FEED, TICKET_STATUS
from service.crypto.keyring import ClientKeys
from service.tickets.status import TicketStatus

_NO_PROOF: Final = f"Bearer {'-' * 36}"
"""Compared where there is no note, so that an unknown ticket takes as long as a wrong secret."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of the caller who has a ticket's secret."""

    status: TicketStatus
    """Of the application that left the note: after a reload it is no longer used."""
    proof: str
    """The `Authorization` header with the ticket's secret."""
    holder: Holder
    answer: Answer


def leave(app: web.Application, ticket: Ticket, holder: Holder, answer: Answer) -> None:
    """Leave a note beside *ticket*, unless that is final: streams of such end at once."""
    if ticket.status.final:
        return
    head, keys = holder
    proof = f"Bearer {keys.secret(head.ticket)}"
    app[FEED].annotate(ticket, Note(app[TICKET_STATUS], proof, holder, answer))


class Notes:
    """Looks notes of an application up."""

    def __init__(self, app: web.Application) -> None:
        self._feed, self._status = app[FEED], app[TICKET_STATUS]

    def find(self, request: web.BaseRequest, ticket: str) -> tuple[Note, Ticket] | None:
        """Return the note on a ticket, if *request* has its proof, and the ticket, if that needs no query."""
        note: Note | None = self._feed.note(TicketId(ticket))
        proofs = request.headers.getall("Authorization", [""])
        proved = ClientKeys.same(proofs[0], note.proof if note else _NO_PROOF) and len(proofs) == 1
        if note is None or not proved or note.status is not self._status:
            return None
        known = self._status.known(note.holder[0])
        return (note, known) if known else None
