"""Builds the handlers of scans and answers."""

from dataclasses import dataclass

from service.confirmation.answers import AnswerHandler
from service.confirmation.completion import TicketCompletion
from service.confirmation.form_answers import FormAnswers
from service.confirmation.hints import AnswerHints
from service.confirmation.open_questions import OpenQuestions
from service.confirmation.scan import ScanHandler
from service.confirmation.scan_context import SceneVerifier
from service.foundation import Foundation
from service.identities.build import IdentityServices
from service.tickets.build import TicketRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationServices:
    """The handlers of scans and answers, and what they use."""

    verifier: SceneVerifier
    questions: OpenQuestions
    completion: TicketCompletion
    scans: ScanHandler
    answers: AnswerHandler
    forms: FormAnswers


def build_confirmation(
    base: Foundation, *, people: IdentityServices, records: TicketRecords
) -> ConfirmationServices:
    """Build the services of this package."""
    questions = OpenQuestions(base.stores.redis)
    verifier = SceneVerifier(clients=base.settings.clients, keyring=base.keyring, requests=records.requests)
    completion = TicketCompletion(
        decisions=records.decisions,
        followers=people.followers,
        follower_refresh=people.follower_refresh,
        projection=records.projection,
        metrics=base.metrics,
        clock=base.clock,
    )
    scans = ScanHandler(
        verifier=verifier,
        questions=questions,
        ticket_status=records.status,
        completion=completion,
        follower_refresh=people.follower_refresh,
        audit=base.audit,
    )
    hints = AnswerHints(
        redis=base.stores.redis, verifier=verifier, questions=questions, ticket_status=records.status
    )
    answers = AnswerHandler(
        verifier=verifier,
        questions=questions,
        ticket_status=records.status,
        completion=completion,
        hints=hints,
    )
    return ConfirmationServices(
        verifier=verifier,
        questions=questions,
        completion=completion,
        scans=scans,
        answers=answers,
        forms=FormAnswers(ticket_status=records.status, completion=completion),
    )
