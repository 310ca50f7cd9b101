"""Use case: what somebody types or taps in the chat. What answers no open question is left alone."""

from models.confirmation import Answer, could_answer, read_answer
from models.events import Said
from models.ticket import READABLE_AFTER, Ending, Reason, Ticket
from service.confirmation.completion import Concluding
from service.confirmation.open_questions import Asked, Questions
from service.confirmation.scan_context import Stage, Stages
from service.identities.followers import Followers
from service.tickets.status import Following


class Answering:
    """Matches a text with the person's open question and ends the ticket by it."""

    def __init__(
        self,
        *,
        stages: Stages,
        questions: Questions,
        following: Following,
        followers: Followers,
        concluding: Concluding,
    ) -> None:
        self._stages = stages
        self._questions = questions
        self._following = following
        self._followers = followers
        self._concluding = concluding

    async def said(self, account: str, said: Said) -> str | None:
        """Return the reply to an answer; None if *said* answers nothing that is open.

        Raises:
            StoreUnavailable: the answer could not be made durable.
        """
        if not could_answer(said.text):
            return None
        questions = await self._questions.of(account, said.openid)
        if not questions:
            return None
        newest, *others = questions
        if said.created < newest.created:
            return None  # written before it was asked: late, or replayed
        follower = await self._followers.get(account, said.openid)
        lang = follower.lang if follower else None
        stage = await self._stages.enter(newest.scene, account=account, openid=said.openid, lang=lang)
        if stage is None:
            return None
        older = frozenset[str]().union(*[await self._numbers(account, said, one) for one in others])
        answer = read_answer(said.text, stage.question, older=older)
        return await self._take(answer, stage, newest, said) if answer else None

    async def _numbers(self, account: str, said: Said, older: Asked) -> frozenset[str]:
        """Return the numbers that would have answered a question asked before; none if its scene is nobody's."""
        stage = await self._stages.enter(older.scene, account=account, openid=said.openid, lang=None)
        return stage.numbers if stage else frozenset()

    async def _take(self, answer: Answer, stage: Stage, asked: Asked, said: Said) -> str | None:
        ticket = await self._following.read_afresh(stage.claim.head)
        if ticket.openid not in (None, said.openid):
            return None
        if ticket.status.final and asked.answered_by not in (None, said.key):
            return None  # it was answered before, by another text
        until = stage.claim.head.expires_at + READABLE_AFTER
        await self._questions.answered(stage.claim.account, said.openid, asked.scene, by=said.key, until=until)
        if ticket.status.final:
            return stage.tell(ticket)  # its own redelivery, or the first answer, but too late
        ending = await self._conclude(answer, stage, ticket)
        return stage.tell(ending) if ending else None

    async def _conclude(self, answer: Answer, stage: Stage, ticket: Ticket) -> Ending | None:
        match answer:
            case Answer.YES:
                return await self._concluding.confirm(stage, ticket)
            case Answer.NOT_ME:
                return await self._concluding.refuse(stage, Reason.DECLINED)
            case Answer.WRONG_NUMBER:
                return await self._concluding.refuse(stage, Reason.WRONG_NUMBER)
