"""Use case: handle a chat message. A message that answers no open question, nor nearly does, is ignored."""

from dataclasses import dataclass

from models.confirmation import EARLY, Answer, could_answer, nearly_answers, read_answer
from models.events import TextMessage
from models.scene import read
from models.ticket import READABLE_AFTER, Ending, Reason, Ticket
from models.typed_text import two_digits
from service.confirmation.completion import TicketCompletion
from service.confirmation.hints import AnswerHints
from service.confirmation.messages import Notice
from service.confirmation.open_questions import OpenQuestion, OpenQuestions
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.tickets.status import TicketStatus


@dataclass(slots=True, kw_only=True)
class AnswerHandler:
    """Matches a message with the sender's open question and ends the ticket accordingly."""

    verifier: SceneVerifier
    questions: OpenQuestions
    ticket_status: TicketStatus
    completion: TicketCompletion
    hints: AnswerHints

    async def answered(self, account: str, message: TextMessage) -> str | None:
        """Apply an answer and return the reply, or a hint for a near-answer; None for any other *message*.

        Raises:
            StoreUnavailable: the answer could not be committed.
        """
        if could_answer(message.text):
            return await self._answered(account, message)
        return await self.hints.hint(account, message) if nearly_answers(message.text) else None

    async def _answered(self, account: str, message: TextMessage) -> str | None:
        questions = await self.questions.of(account, message.openid)
        if other := next((one for one in questions[1:] if one.answered_by == message.key), None):
            return await self._repeat(account, message, other)
        if not questions or message.created < questions[0].created - EARLY:
            return None  # no question is open, or the message was sent before the scan and delayed
        newest, *others = questions
        context = await self._context(account, message, newest)
        if context is None:
            return None
        older = [one for other in others if (one := await self._context(account, message, other))]
        numbers = frozenset[str]().union(*[one.numbers for one in older])
        # an early answer is in doubt though no older question is known: Redis may have lost it
        early, number = message.created < newest.created, two_digits(message.text)
        answer = read_answer(message.text, context.question, older=numbers, doubtful=early)
        if answer and not context.usable:
            return context.notice_text(Notice.OUT_OF_DATE)
        if answer:
            return await self._apply(answer, context, newest, message)
        meant = nearly_answers(message.text) and number not in numbers and not (early and number)
        return await self.hints.hint(account, message) if meant else None

    async def _repeat(self, account: str, message: TextMessage, asked: OpenQuestion) -> str | None:
        """Return how the ticket of an older question ended, for a redelivery of its answer; None if it has not."""
        context = await self._context(account, message, asked)
        ending = await self.ticket_status.ending(context.claim.head) if context else None
        return context.ending_text(ending) if context and ending else None

    async def _context(self, account: str, message: TextMessage, asked: OpenQuestion) -> ScanContext | None:
        scene = read(asked.scene)
        if scene is None:
            return None
        return await self.verifier.verify(scene, account=account, openid=message.openid, lang=asked.lang)

    async def _apply(
        self, answer: Answer, context: ScanContext, asked: OpenQuestion, message: TextMessage
    ) -> str | None:
        claim = context.claim
        ticket = await self.ticket_status.read_afresh(claim.head)
        if ticket.status.final or ticket.openid not in (None, message.openid):
            return context.ending_text(ticket)  # even after another answer, whose reply may have been lost
        until = claim.head.expires_at + READABLE_AFTER
        await self.questions.answered(claim.account, message.openid, asked.scene, by=message.key, until=until)
        ending = await self._conclude(answer, context, ticket)
        return context.ending_text(ending) if ending else None

    async def _conclude(self, answer: Answer, context: ScanContext, ticket: Ticket) -> Ending | None:
        match answer:
            case Answer.YES:
                return await self.completion.confirm(context, ticket)
            case Answer.NOT_ME:
                return await self.completion.refuse(context.claim, Reason.DECLINED, openid=context.openid)
            case Answer.WRONG_NUMBER:
                return await self.completion.refuse(context.claim, Reason.WRONG_NUMBER, openid=context.openid)
