"""Builds what asks about scans and takes the answers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from service.audit.log import AuditLog
from service.config.settings import Settings
from service.confirmation.answers import AnswerHandler
from service.confirmation.completion import TicketCompletion
from service.confirmation.open_questions import OpenQuestions
from service.confirmation.scan import ScanHandler
from service.confirmation.scan_context import SceneVerifier
from service.crypto.keyring import Keyring
from service.identities.build import IdentityServices
from service.observability.metrics import Metrics
from service.storage.stores import Stores
from service.tickets.build import TicketRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationServices:
    """What handles scans and answers, and the questions that both share."""

    questions: OpenQuestions
    scans: ScanHandler
    answers: AnswerHandler


def build_confirmation(
    settings: Settings,
    stores: Stores,
    *,
    keyring: Keyring,
    people: IdentityServices,
    records: TicketRecords,
    audit: AuditLog,
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> ConfirmationServices:
    """Build the services of this package."""
    questions = OpenQuestions(stores.redis)
    verifier = SceneVerifier(clients=settings.clients, keyring=keyring, requests=records.requests)
    completion = TicketCompletion(
        decisions=records.decisions,
        followers=people.followers,
        follower_refresh=people.follower_refresh,
        projection=records.projection,
        metrics=metrics,
        clock=clock,
    )
    scans = ScanHandler(
        verifier=verifier,
        questions=questions,
        ticket_status=records.status,
        completion=completion,
        follower_refresh=people.follower_refresh,
        audit=audit,
    )
    answers = AnswerHandler(
        verifier=verifier,
        questions=questions,
        ticket_status=records.status,
        followers=people.followers,
        completion=completion,
    )
    return ConfirmationServices(questions=questions, scans=scans, answers=answers)
