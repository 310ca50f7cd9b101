"""Use case: ask a person in a mini program what a scan asks in the chat, and take the answer (contract.md 8.4).

Of the mini program only the code's scene and a fresh code of `wx.login` are believed: the scene is verified before
WeChat is called, and WeChat says who the person is. An answer has a token that is bound to ticket and person.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.binding import UserId
from models.errors import (
    InvalidCode,
    InvalidRequest,
    PersonBlocked,
    TicketFinished,
    TicketNotFound,
    WeChatUnavailable,
)
from models.events import OpenId
from models.requester import Requester
from models.scene import Kind, Scene, read_ticket, signed
from models.ticket import READABLE_AFTER, Confirm, Ending, Ticket, TicketId
from service.audit.log import AuditLog
from service.config.clients import Client
from service.confirmation import messages
from service.confirmation.completion import TicketCompletion
from service.confirmation.form_answers import FormAnswers, over
from service.confirmation.scan import note_scan
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.crypto.keyring import ClientKeys, Keyring
from service.identities.followers import Authorized
from service.storage.records import RecordStore
from service.tickets.bind_requests import BindRequests
from service.tickets.status import TicketStatus
from service.wechat.mini_program import MiniProgramApi

ASKED: Final = "scanbind:m:"
_UNUSABLE_CODES: Final = (40029, 40163)
_BLOCKED: Final = 40226


@dataclass(frozen=True, slots=True)
class Asked:
    """A person who is asked, in Redis. Its key is the first part of the reply token."""

    ticket: TicketId
    openid: OpenId
    user_id: UserId | None = None
    """Of a bind, which its ticket proves. Saves reading it from SQL again."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What the mini program asks, and the token that answers it."""

    context: ScanContext
    requester: Requester
    token: str

    @property
    def question(self) -> str:
        return messages.page_question(self.context.confirm, lang=self.context.lang)

    @property
    def options(self) -> Sequence[str]:
        """The numbers to choose from."""
        question = self.context.question
        return question.numbers.offered if question.confirm is Confirm.CHOOSE else ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How the person's answer ended the ticket, and what to tell them."""

    end: Ending | Ticket
    text: str


@dataclass(slots=True, kw_only=True)
class MiniProgramScans:
    """Takes the scans and the answers of mini programs. All methods raise StoreUnavailable."""

    apis: Mapping[str, MiniProgramApi]
    clients: Mapping[str, Client]
    keyring: Keyring
    requests: BindRequests
    asked: RecordStore[Asked]
    verifier: SceneVerifier
    ticket_status: TicketStatus
    completion: TicketCompletion
    forms: FormAnswers
    audit: AuditLog
    clock: Callable[[], datetime]

    async def scan(self, app: str, *, scene: str, js_code: str) -> Asking:
        """Mark the ticket of *scene* as scanned by the person of *js_code*; return what to ask them.

        Raises:
            TicketNotFound: the scene is not one of this mini program's codes.
            TicketFinished: the ticket has ended, or another person scanned it first.
            InvalidCode: WeChat does not take *js_code*: it was used, is too old, or of another mini program.
            PersonBlocked: WeChat blocks the person's logins.
            WeChatUnavailable: WeChat did not say who the person is.
        """
        found = await self._ticket_of(scene, app)
        if (await self.ticket_status.read_afresh(found.head)).status.final:
            raise TicketFinished("the ticket has ended")
        person = await self._person(app, js_code)
        context = await self.verifier.verify(found, account=app, openid=person.openid, lang=None)
        if context is None:
            raise TicketNotFound
        await self.completion.store_arrival(context, person)
        ticket = await self.forms.ask(context)
        note_scan(self.audit, context, ticket)
        if over(ticket, context):
            raise TicketFinished("the ticket has ended, or another person scanned it first")
        return Asking(context, ticket.requester, await self._token(context))

    async def answer(self, app: str, *, token: str, answer: str) -> Ended:
        """Apply *answer*, unless an answer of the same person ended the ticket before; return how it ended.

        Raises:
            InvalidCode: the token is unknown, forged or another mini program's, or its person was erased since.
                Nothing was used up.
            InvalidRequest: *answer* answers another question. Nothing was used up.
            TicketFinished: the ticket ended without an answer of this person.
        """
        context = await self._asked(app, token)
        answered = await self.forms.answer(context, None, [answer])
        if answered is None:
            raise InvalidRequest(f"answer: is none to the question, whose confirm is {context.confirm}")
        end = answered.end
        if not end.status.final and end.openid in (None, context.openid):
            raise InvalidCode("reply_token: its person was erased")
        if end.openid != context.openid or not (end.outcome or end.reason):
            raise TicketFinished("the ticket has ended")
        return Ended(end, context.ending_text(end))

    async def _ticket_of(self, text: str, app: str) -> Scene:
        """Return the ticket whose code has the scene *text*. No store is asked for a forged or an expired one."""
        scene = read_ticket(text)  # has the form of a ticket, and another tag
        keys = self.keyring.maker_of_code(scene, app) if scene else None
        if scene is None or keys is None or not self.clients[keys.client].serves(scene.method, app):
            raise TicketNotFound
        if self.clock() >= scene.expires_at:
            raise TicketFinished("the ticket has expired")
        if scene.kind is not Kind.BIND_KEPT:
            return signed(scene, client=keys.client, account=app, key=keys.scene)
        for request in await self.requests.beginning(scene.body):
            head, user_id = read_ticket(request.ticket), request.user_id
            # The ticket's tag proves the user: SQL alone must not say who is bound.
            if head and Scene(head).belongs(client=keys.client, account=app, user_id=user_id, key=keys.scene):
                return Scene(head, user_id)
        raise TicketNotFound

    async def _person(self, app: str, js_code: str) -> Authorized:
        try:
            login = await self.apis[app].login(js_code)
        except WeChatUnavailable as e:
            if e.errcode in _UNUSABLE_CODES:
                raise InvalidCode("js_code: was used, is too old, or of another mini program") from e
            if e.errcode == _BLOCKED:
                raise PersonBlocked("WeChat does not let this person log in") from e
            raise
        return Authorized(app, login.openid, login.unionid)

    async def _token(self, context: ScanContext) -> str:
        """Store who is asked, under a random name; return the name with its proof."""
        name, claim = secrets.token_urlsafe(16), context.claim
        asked = Asked(claim.head.ticket, context.openid, claim.user_id)
        await self.asked.add(name, asked, until=claim.head.expires_at + READABLE_AFTER)
        return _signed(name, context)

    async def _asked(self, app: str, token: str) -> ScanContext:
        name = token.partition(".")[0]
        held = await self.asked.load(name)
        head = read_ticket(held.ticket) if held else None
        if held is None or head is None:
            raise InvalidCode("reply_token: is unknown or too old")
        scene = Scene(head, held.user_id)
        context = await self.verifier.verify(scene, account=app, openid=held.openid, lang=None)
        # Redis alone must not say who answers: the proof is of the ticket, and so of the app, and of the person.
        if context is None or not ClientKeys.same(token, _signed(name, context)):
            raise InvalidCode("reply_token: is unknown or too old")
        return context


def _signed(name: str, context: ScanContext) -> str:
    return f"{name}.{context.keys.answer_token(context.claim.head.ticket, context.openid, name)}"
