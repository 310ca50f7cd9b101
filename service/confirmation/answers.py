"""Use case: handle a chat message. A message that answers no open question is ignored."""

from dataclasses import dataclass

from models.confirmation import Answer, could_answer, read_answer
from models.events import TextMessage
from models.language import Lang
from models.scene import read
from models.ticket import READABLE_AFTER, Ending, Reason, Ticket
from service.confirmation.completion import TicketCompletion
from service.confirmation.messages import Notice
from service.confirmation.open_questions import OpenQuestion, OpenQuestions
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.identities.followers import Followers
from service.tickets.status import TicketStatus


@dataclass(slots=True, kw_only=True)
class AnswerHandler:
    """Matches a message with the sender's open question and ends the ticket accordingly."""

    verifier: SceneVerifier
    questions: OpenQuestions
    ticket_status: TicketStatus
    followers: Followers
    completion: TicketCompletion

    async def answered(self, account: str, message: TextMessage) -> str | None:
        """Apply an answer and return the reply; None if *message* answers no open question.

        Raises:
            StoreUnavailable: the answer could not be committed.
        """
        if not could_answer(message.text):
            return None
        questions = await self.questions.of(account, message.openid)
        if not questions:
            return None
        newest, *others = questions
        if message.created < newest.created:
            return None  # sent before the scan: delayed, or replayed
        follower = await self.followers.get(account, message.openid)
        context = await self._context(account, message, newest, follower.lang if follower else None)
        if context is None:
            return None
        older = frozenset[str]().union(*[await self._numbers(account, message, one) for one in others])
        answer = read_answer(message.text, context.question, older=older)
        if answer and not context.usable:
            return context.notice_text(Notice.OUT_OF_DATE)
        return await self._apply(answer, context, newest, message) if answer else None

    async def _numbers(self, account: str, message: TextMessage, older: OpenQuestion) -> frozenset[str]:
        """Return the numbers of an older question; empty if its scene does not verify any more."""
        context = await self._context(account, message, older, None)
        return context.numbers if context else frozenset()

    async def _context(
        self, account: str, message: TextMessage, asked: OpenQuestion, lang: Lang | None
    ) -> ScanContext | None:
        scene = read(asked.scene)
        if scene is None:
            return None
        return await self.verifier.verify(scene, account=account, openid=message.openid, lang=lang)

    async def _apply(
        self, answer: Answer, context: ScanContext, asked: OpenQuestion, message: TextMessage
    ) -> str | None:
        ticket = await self.ticket_status.read_afresh(context.claim.head)
        if ticket.openid not in (None, message.openid):
            return None
        if ticket.status.final and asked.answered_by not in (None, message.key):
            return None  # another message answered the question
        until = context.claim.head.expires_at + READABLE_AFTER
        await self.questions.answered(
            context.claim.account, message.openid, asked.scene, by=message.key, until=until
        )
        if ticket.status.final:
            return context.ending_text(ticket)  # a redelivery, or a first answer that came too late
        ending = await self._conclude(answer, context, ticket)
        return context.ending_text(ending) if ending else None

    async def _conclude(self, answer: Answer, context: ScanContext, ticket: Ticket) -> Ending | None:
        match answer:
            case Answer.YES:
                return await self.completion.confirm(context, ticket)
            case Answer.NOT_ME:
                return await self.completion.refuse(context, Reason.DECLINED)
            case Answer.WRONG_NUMBER:
                return await self.completion.refuse(context, Reason.WRONG_NUMBER)
