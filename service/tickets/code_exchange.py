"""Use case: exchange a login code, and bind with a registration. Each can be used exactly once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from models.audit import AuditEvent
from models.binding import AlreadyBound, Binding, Bound, Conflict, UserId
from models.errors import AccountNotConfigured, BindingConflict, InvalidCode
from models.method import REDIRECTS, Method
from models.scene import TicketHeader, read_ticket
from models.ticket import CODE_LIVES, REGISTRATION_LIVES, Ending, Outcome, Purpose, Ticket, TicketId
from service.audit.log import AuditLog
from service.config.clients import Client
from service.crypto.keyring import Keyring
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Follower
from service.identities.repository import Identity
from service.tickets.bind_exchange import BindExchange, appid_of
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings
from service.tickets.projection import Projection

LONGEST_TOKEN: Final = 72
"""Maximum characters of a login code or registration: ticket, dot, MAC (service/crypto/keyring.py)."""
_TOKEN: Final = re.compile(r"(?P<ticket>[\w-]{28}|[\w-]{32}|[\w-]{39})\.[\w-]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Result of an exchange: the binding of a known user, or a registration for a new one."""

    method: Method
    ending: Ending
    follower: Follower
    appid: str
    binding: Binding | None
    registration: str | None


@dataclass(slots=True, kw_only=True)
class CodeExchange:
    """Verifies and uses up login codes and registrations."""

    clients: Mapping[str, Client]
    appids: Mapping[str, str]
    keyring: Keyring
    endings: Endings
    binds: BindExchange
    decisions: TicketDecisions
    follower_refresh: FollowerRefresh
    projection: Projection
    cached: Callable[[TicketId], Ticket | None]
    """Returns a ticket that this process has read, which saves reading it again."""
    audit: AuditLog
    clock: Callable[[], datetime]

    async def exchange(self, client: str, code: str) -> Redeemed:
        """Use up a code, exactly once, within CODE_LIVES of the confirmation; that of a redirect bind binds.

        Raises:
            InvalidCode: it is unknown, used, expired or another client's, or its binding was removed.
            BindingConflict: another binding prevents the bind; the code can still be used.
            AccountNotConfigured: the client does not have its account any more; the code can still be used.
            StoreUnavailable: the database does not answer.
        """
        head = _head(code)
        try:
            if head and head.purpose is Purpose.BIND and head.method in REDIRECTS:
                bound = await self.binds.exchange(client, head, code)
                appid = self.appids[bound.follower.account]
                return Redeemed(head.method, bound.ending, bound.follower, appid, bound.binding, None)
            return await self._exchange(client, code)
        except (InvalidCode, AccountNotConfigured):
            self.audit.note(AuditEvent.EXCHANGE_REFUSED, client=client, ticket=head.ticket if head else None)
            raise

    async def _exchange(self, client: str, code: str) -> Redeemed:
        head, confirmed, person = await self._ending(client, code)
        ticket, answered_at, openid = confirmed.ticket, confirmed.answered_at, person.openid
        if not self.keyring.made(code, client, lambda keys: keys.code(ticket, openid, answered_at)):
            raise InvalidCode
        if confirmed.code_used_at or self.clock() >= answered_at + CODE_LIVES:
            raise InvalidCode  # before any write: a code sent repeatedly must not hold up writers
        appid = self._appid(client, person)
        follower = Follower(person.account, openid, person.subscribed, person.unionid)
        if confirmed.outcome is Outcome.REGISTER:
            # Fetch a new person's unionid before using up the code: the site may find the user by it.
            follower = await self.follower_refresh.look_up(person.account, openid)
        now = self.clock()
        redeemed = await self.decisions.redeem(confirmed.ticket, answered_after=now - CODE_LIVES, now=now)
        if redeemed is None:
            raise InvalidCode
        ending, binding = redeemed
        await self.projection.show(ending, known=self.cached(ending.ticket))
        registration = None
        if ending.outcome is Outcome.REGISTER and ending.code_used_at:
            keys = self.keyring.newest(client)
            registration = keys.registration(ending.ticket, openid, ending.code_used_at)
        return Redeemed(head.method, ending, follower, appid, binding, registration)

    async def _ending(self, client: str, token: str) -> tuple[TicketHeader, Ending, Identity]:
        """Return the ticket that *token* names, its ending and person. The caller must still verify the token."""
        head = _head(token)
        found = await self.endings.with_person(head.ticket) if head else None
        if head is None or found is None or found.ending.client != client or found.person is None:
            raise InvalidCode
        return head, found.ending, found.person

    def _appid(self, client: str, person: Identity) -> str:
        """Return the appid of the person's account or app. Raises AccountNotConfigured if it has another now."""
        appid = appid_of(client, person.account, clients=self.clients, appids=self.appids)
        if appid != person.appid:
            raise AccountNotConfigured(f"the account {person.account} has another appid since the person scanned")
        return appid

    async def register(self, client: str, user_id: UserId, registration: str) -> tuple[Binding, bool]:
        """Bind the WeChat of *registration* to *user_id*; return the binding and whether it is new.

        Raises:
            InvalidCode: the registration is unknown, expired or another client's, or was used for another user.
            AccountNotConfigured: the client does not have its account any more; it can still be used.
            BindingConflict: another binding prevents it; the registration can still be used.
            StoreUnavailable: the database does not answer.
        """
        head, ending, person = await self._ending(client, registration)
        ticket, used_at, openid = ending.ticket, ending.code_used_at, person.openid
        if not used_at:
            raise InvalidCode
        if not self.keyring.made(registration, client, lambda keys: keys.registration(ticket, openid, used_at)):
            raise InvalidCode
        now = self.clock()
        if now >= used_at + REGISTRATION_LIVES:
            raise InvalidCode
        self._appid(client, person)
        policy = self.clients[client].policy
        how: dict[str, Any] = {"client": client, "user_id": user_id, "policy": policy, "now": now}
        match await self.decisions.register(ticket, method=head.method, **how):
            case Bound(binding):
                return binding, True
            case AlreadyBound(binding):
                return binding, False
            case Conflict(reason):
                raise BindingConflict(reason)
            case None:
                raise InvalidCode


def _head(token: str) -> TicketHeader | None:
    """Return the header of the ticket in a code or registration; None if it is malformed."""
    found = _TOKEN.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
    return read_ticket(found["ticket"]) if found else None
