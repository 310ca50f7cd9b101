"""Use case: ask a person who opened a link inside WeChat what a scan asks in the chat (contract.md 8.4).

Only the browser that WeChat identified is asked, and only its form answers: the form has a proof of the ticket,
the person and the browser.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.confirmation import Question
from models.errors import WeChatUnavailable
from models.language import Lang
from models.requester import Requester
from models.scene import Scene, TicketHeader
from models.ticket import Ticket
from models.web_authorization import DONE, Authorization, ForeignForm
from service.confirmation import messages
from service.confirmation.form_answers import FormAnswers, over
from service.confirmation.messages import Notice
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.crypto.keyring import Capability, ClientKeys
from service.identities.followers import Authorized
from service.methods.visits import Visits


@dataclass(frozen=True, slots=True)
class LinkPage:
    """What the page of a link says, and what it asks; without a question it says how the ticket ended."""

    lang: Lang
    title: str
    lines: Sequence[str]
    question: Question | None = None
    prompt: str = ""
    hint: str = ""
    """After something that was no answer."""
    token: str = ""
    """Proves that the form is this page's."""


@dataclass(frozen=True, slots=True)
class _Identified:
    """A browser that came back from WeChat, and whose it is."""

    held: Authorization
    context: ScanContext

    @property
    def token(self) -> str:
        context = self.context
        return context.keys.answer_token(context.claim.head.ticket, context.openid, self.held.browser)


@dataclass(slots=True, kw_only=True)
class Links:
    """Shows the pages of links and takes their answers.

    All methods raise StoreUnavailable, and UnusableAuthorization if the address is not genuine.
    """

    visits: Visits
    verifier: SceneVerifier
    answers: FormAnswers

    async def show(
        self, given: str, *, state: str, cookie: str, lang: Lang | None, again: bool
    ) -> LinkPage | None:
        """Mark the ticket as scanned and return its question; None if this browser must go to WeChat first.

        *again*: after something that was no answer.

        Raises:
            WeChatUnavailable: WeChat did not say who the person is.
        """
        head, _ = self.visits.holder(Capability.LINK, given)
        found = await self._identified(head, state=state, cookie=cookie, lang=lang)
        if found is None:
            return None
        ticket = await self.answers.ask(found.context)
        if over(ticket, found.context):
            return _ending(found, ticket)
        return _question(found, ticket.requester, again=again)

    async def answer(self, given: str, *, state: str, cookie: str, token: str, answers: Sequence[str]) -> bool:
        """Apply the *answers* of a form, unless the ticket has ended; return False if they are no answer.

        Raises:
            ForeignForm: *token* is not the one of this browser's page.
        """
        head, _ = self.visits.holder(Capability.LINK, given)
        try:
            found = await self._identified(head, state=state, cookie=cookie, lang=None)
        except WeChatUnavailable as e:
            raise ForeignForm from e
        if found is None or not ClientKeys.same(token, found.token):
            raise ForeignForm
        person = Authorized(found.held.account, found.context.openid, found.held.unionid)
        answered = await self.answers.answer(found.context, person, answers)
        if answered and answered.refused:
            await self.visits.refuse_link(state, answered.refused)
        return answered is not None

    async def _identified(
        self, head: TicketHeader, *, state: str, cookie: str, lang: Lang | None
    ) -> _Identified | None:
        held = await self.visits.by_link(head, state=state, cookie=cookie)
        if held is None or held.outcome is None:
            return None
        if held.outcome != DONE or held.openid is None:
            raise WeChatUnavailable(f"web authorization: {held.outcome}")
        scene = Scene(head, held.user_id)
        context = await self.verifier.verify(scene, account=held.account, openid=held.openid, lang=lang)
        return _Identified(held, context) if context else None


def _question(found: _Identified, requester: Requester, *, again: bool) -> LinkPage:
    context = found.context
    title, *lines = context.request_lines(requester)
    prompt = messages.page_question(context.confirm, lang=context.lang)
    hint = messages.page_hint(lang=context.lang) if again else ""
    return LinkPage(context.lang, title, lines, context.question, prompt, hint, found.token)


def _ending(found: _Identified, ticket: Ticket) -> LinkPage:
    context, refused = found.context, found.held.refused
    if not context.usable:
        text = context.notice_text(Notice.OUT_OF_DATE)
    elif ticket.openid is None and refused and refused is ticket.reason:
        text = context.notice_text(messages.notice_of(None, refused))
    else:
        text = context.ending_text(ticket)
    return LinkPage(context.lang, context.client.name[context.lang], [text])
