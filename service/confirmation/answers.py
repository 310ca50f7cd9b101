"""Use case: what somebody types or taps in the chat. What answers no open question is left alone."""

from dataclasses import dataclass

from models.confirmation import Answer, could_answer, read_answer
from models.events import TextMessage
from models.language import Lang
from models.scene import read
from models.ticket import READABLE_AFTER, Ending, Reason, Ticket
from service.confirmation.completion import TicketCompletion
from service.confirmation.open_questions import OpenQuestion, OpenQuestions
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.identities.followers import Followers
from service.tickets.status import TicketStatus


@dataclass(slots=True, kw_only=True)
class AnswerHandler:
    """Matches a text with the person's open question and ends the ticket by it."""

    verifier: SceneVerifier
    questions: OpenQuestions
    ticket_status: TicketStatus
    followers: Followers
    completion: TicketCompletion

    async def said(self, account: str, said: TextMessage) -> str | None:
        """Return the reply to an answer; None if *said* answers nothing that is open.

        Raises:
            StoreUnavailable: the answer could not be made durable.
        """
        if not could_answer(said.text):
            return None
        questions = await self.questions.of(account, said.openid)
        if not questions:
            return None
        newest, *others = questions
        if said.created < newest.created:
            return None  # written before it was asked: late, or replayed
        follower = await self.followers.get(account, said.openid)
        context = await self._context(account, said, newest, follower.lang if follower else None)
        if context is None:
            return None
        older = frozenset[str]().union(*[await self._numbers(account, said, one) for one in others])
        answer = read_answer(said.text, context.question, older=older)
        return await self._take(answer, context, newest, said) if answer else None

    async def _numbers(self, account: str, said: TextMessage, older: OpenQuestion) -> frozenset[str]:
        """Return the numbers that would have answered a question asked before; none if its scene is nobody's."""
        context = await self._context(account, said, older, None)
        return context.numbers if context else frozenset()

    async def _context(
        self, account: str, said: TextMessage, asked: OpenQuestion, lang: Lang | None
    ) -> ScanContext | None:
        scene = read(asked.scene)
        if scene is None:
            return None
        return await self.verifier.verify(scene, account=account, openid=said.openid, lang=lang)

    async def _take(
        self, answer: Answer, context: ScanContext, asked: OpenQuestion, said: TextMessage
    ) -> str | None:
        ticket = await self.ticket_status.read_afresh(context.claim.head)
        if ticket.openid not in (None, said.openid):
            return None
        if ticket.status.final and asked.answered_by not in (None, said.key):
            return None  # it was answered before, by another text
        until = context.claim.head.expires_at + READABLE_AFTER
        await self.questions.answered(context.claim.account, said.openid, asked.scene, by=said.key, until=until)
        if ticket.status.final:
            return context.tell(ticket)  # its own redelivery, or the first answer, but too late
        ending = await self._conclude(answer, context, ticket)
        return context.tell(ending) if ending else None

    async def _conclude(self, answer: Answer, context: ScanContext, ticket: Ticket) -> Ending | None:
        match answer:
            case Answer.YES:
                return await self.completion.confirm(context, ticket)
            case Answer.NOT_ME:
                return await self.completion.refuse(context, Reason.DECLINED)
            case Answer.WRONG_NUMBER:
                return await self.completion.refuse(context, Reason.WRONG_NUMBER)
