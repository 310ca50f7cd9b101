"""The context of one scan, shared by all its steps, and the verifier that makes it from a scene."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from models.binding import wechat_label
from models.confirmation import Question, confirmation
from models.events import OpenId
from models.language import Lang
from models.method import Method
from models.portal import started_by_portal
from models.requester import Requester
from models.scene import Claim, Kind, Scene
from models.ticket import Confirm, Ending, Ticket
from service.config.clients import Client
from service.confirmation import messages
from service.confirmation.messages import Notice
from service.crypto.keyring import ClientKeys, Keyring
from service.tickets.bind_requests import BindRequest, BindRequests


@dataclass(frozen=True, slots=True)
class ScanContext:
    """A verified claim, the openid that scanned, and the language of the replies."""

    claim: Claim
    client: Client
    keys: ClientKeys
    openid: OpenId
    lang: Lang
    by_portal: bool
    """Whether the portal started the ticket."""
    usable: bool
    """Whether the client still has the method, and the account or app."""

    def in_language(self, lang: Lang | None) -> Self:
        """Return the context with replies in *lang*, if it is given."""
        return replace(self, lang=lang) if lang else self

    @property
    def confirm(self) -> Confirm:
        head = self.claim.head
        return confirmation(head.method, head.purpose, self.client.confirm[head.purpose], by_portal=self.by_portal)

    @property
    def question(self) -> Question:
        ticket = self.claim.head.ticket
        return Question(self.confirm, self.keys.numbers(ticket), self.keys.mark(ticket))

    @property
    def numbers(self) -> frozenset[str]:
        """The numbers that the question offers or asks for."""
        drawn = self.keys.numbers(self.claim.head.ticket)
        asked = {Confirm.CHOOSE: drawn.offered, Confirm.MATCH: (drawn.match,)}
        return frozenset(asked.get(self.confirm, ()))

    def request_lines(self, requester: Requester) -> list[str]:
        """Return what the ticket asks for, and for whom."""
        site, purpose = self.client.name[self.lang], self.claim.head.purpose
        return messages.request(purpose=purpose, requester=requester, lang=self.lang, site=site)

    def question_text(self, requester: Requester) -> str:
        """Return the text of the question; not for `confirm: none`, which has none."""
        return messages.question(self.question, lines=self.request_lines(requester), lang=self.lang)

    def hint_text(self) -> str:
        """Return how the question is answered; not for `confirm: none`."""
        return messages.hint(self.confirm, lang=self.lang)

    def notice_text(self, notice: Notice) -> str:
        label = wechat_label(self.claim.account, self.openid)
        passcode = self.claim.head.method is Method.PASSCODE
        site = self.client.name[self.lang]
        return messages.notice(notice, lang=self.lang, site=site, label=label, passcode=passcode)

    def ending_text(self, end: Ending | Ticket) -> str:
        """Return how the ticket ended; for another openid than its owner's, only that it is invalid or taken."""
        if end.openid != self.openid:
            return self.notice_text(Notice.OUT_OF_DATE if end.openid is None else Notice.ANOTHER_PERSON)
        return self.notice_text(messages.notice_of(end.outcome, end.reason))


@dataclass(slots=True, kw_only=True)
class SceneVerifier:
    """Verifies scenes: the client whose key verifies owns the ticket (docs/adr/0001)."""

    clients: Mapping[str, Client]
    keyring: Keyring
    requests: BindRequests

    async def verify(self, scene: Scene, *, account: str, openid: OpenId, lang: Lang | None) -> ScanContext | None:
        """Return the context of a scene that a key of one of our clients made for *account*; None for any other.

        *lang* is the language of the replies, if known: the question's, or the person's.

        Raises:
            StoreUnavailable: the user id is stored in SQL, and the database does not answer.
        """
        if (found := await self._find(scene, account)) is None:
            return None
        claim, keys, by_portal = found
        client = self.clients[claim.client]
        chosen = lang or scene.head.lang or client.lang
        return ScanContext(
            claim, client, keys, openid, chosen, by_portal, client.serves(scene.head.method, account)
        )

    async def claim(self, scene: Scene, *, account: str) -> Claim | None:
        """Return the claim of a scene, as `verify` does, before the person is known.

        Raises: as `verify`.
        """
        found = await self._find(scene, account)
        return found[0] if found else None

    async def claim_of(self, client: str, scene: Scene) -> Claim | None:
        """Return the claim of a scene of *client*, for whichever of its accounts and apps; None if it has none.

        Raises: as `verify`.
        """
        request, site = await self._request(scene), self.clients[client]
        user_id = request.user_id if request else scene.user_id
        accounts = (*site.accounts, *site.apps)
        account = self.keyring.account_of(scene, client=client, accounts=accounts, user_id=user_id)
        return Claim(scene.head, client, account, user_id) if account else None

    async def _find(self, scene: Scene, account: str) -> tuple[Claim, ClientKeys, bool] | None:
        """Return the claim, the keys that signed it, and whether the portal started the ticket."""
        request = await self._request(scene)
        user_id = request.user_id if request else scene.user_id
        by_portal = request is not None and started_by_portal(request.session)
        for name in self.clients:
            if keys := self.keyring.maker(scene, client=name, account=account, user_id=user_id):
                return Claim(scene.head, name, account, user_id), keys, by_portal
        return None

    async def _request(self, scene: Scene) -> BindRequest | None:
        """Return the bind request of a scene whose user id is in SQL alone; None for others, or if purged."""
        kept = scene.head.kind is Kind.BIND_KEPT and scene.user_id is None
        return await self.requests.of(scene.head.ticket) if kept else None
