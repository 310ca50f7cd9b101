"""Makes tickets: signs the scene, and has the method make what the browser shows for it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.binding import UserId
from models.errors import InvalidRequest, StoreUnavailable
from models.language import Lang
from models.method import REDIRECTS, Method
from models.scene import NONCE_LENGTH, Kind, Scene, TicketHeader, make, read_ticket
from models.ticket import Purpose
from service.config.clients import Client
from service.config.settings import Tickets
from service.crypto.keyring import ClientKeys, Keyring
from service.tickets.bind_requests import BindRequest
from service.tickets.method import Shown, SignInMethod, Taken

_DRAWS: Final = 4
"""Passcodes are short, so two tickets could have the same one: then another ticket is drawn."""
_NONCE_BYTES: Final = NONCE_LENGTH * 6 // 8
"""In base64url, whose characters are those of a scene, these are NONCE_LENGTH characters."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A ticket as returned to its requester; `secret` permits reading its status and cancelling it."""

    head: TicketHeader
    secret: str
    account: str
    shown: Shown
    created_at: datetime
    fresh: bool
    """False when an existing ticket was returned again."""


@dataclass(slots=True, kw_only=True)
class TicketFactory:
    """Makes tickets for all clients. Does not store them."""

    clients: Mapping[str, Client]
    lifetimes: Tickets
    keyring: Keyring
    methods: Mapping[Method, SignInMethod]
    clock: Callable[[], datetime]

    def choose(self, client: str, method: Method | None, account: str | None) -> tuple[Method, str]:
        """Return the method and the account or app of a ticket: those asked for, or the client's first that fit.

        Raises:
            InvalidRequest: the client does not have this method or account, or the method cannot use the account.
        """
        methods, accounts = self.clients[client].methods, self.accounts(client)
        method = method or methods[0]
        if method not in methods:
            raise InvalidRequest("method: not one of this client's methods")
        chosen = self.methods[method]
        if account is None:
            return method, next(filter(chosen.can_use, accounts))
        if account not in accounts:
            raise InvalidRequest("account: not one of this client's accounts")
        if not chosen.can_use(account):
            raise InvalidRequest(f"account: has no {chosen.needs}, which the method {method} needs")
        return method, account

    def fallbacks(self, client: str, method: Method, account: str | None) -> Iterator[tuple[Method, str]]:
        """Yield the methods, with an account, that take the place of *method* while its code cannot be had.

        These are the client's later cross-device methods (contract.md 8.2), with *account* if the caller named it.
        """
        methods = self.clients[client].methods
        for other in methods[methods.index(method) + 1 :]:
            accounts = filter(self.methods[other].can_use, [account] if account else self.accounts(client))
            if not {method, other} & REDIRECTS and (usable := next(accounts, None)):
                yield other, usable

    def account_of(self, head: TicketHeader, client: str) -> str | None:
        """Return the account or app of a login ticket; None if the client has it no more."""
        return self.keyring.account_of(Scene(head), client=client, accounts=self.accounts(client), user_id=None)

    def accounts(self, client: str) -> tuple[str, ...]:
        """Return the names of the client's accounts and apps."""
        return (*self.clients[client].accounts, *self.clients[client].apps)

    async def make(
        self,
        client: str,
        *,
        method: Method,
        account: str,
        kind: Kind,
        lang: Lang | None,
        user_id: UserId | None = None,
        meanwhile: Callable[[TicketHeader], Awaitable[None]],
    ) -> Issued:
        """Make a ticket and what is shown for it; call *meanwhile* with the ticket while *method* works.

        What *meanwhile* stores is left behind if the method fails: then the ticket is known to no caller.

        Raises: as `SignInMethod.show`; StoreUnavailable if all tickets drawn would show what another one does.
        """
        keys, lifetime = self.keyring.newest(client), self._lifetime(kind.purpose)
        now = self.clock().replace(microsecond=0)  # a header has whole seconds
        for _ in range(_DRAWS):
            scene = make(
                method=method,
                kind=kind,
                lang=lang,
                expires_at=now + lifetime,
                nonce=secrets.token_urlsafe(_NONCE_BYTES),
                client=client,
                account=account,
                user_id=user_id,
                key=keys.scene,
            )
            showing = self.methods[method].show(scene, keys, account=account, lifetime=lifetime)
            with suppress(Taken):
                shown, _ = await asyncio.gather(showing, meanwhile(scene.head))
                return Issued(scene.head, keys.secret(scene.head.ticket), account, shown, now, fresh=True)
        raise StoreUnavailable(f"the method {method} drew only what other tickets show")

    async def remake(self, request: BindRequest) -> Issued | None:
        """Rebuild the ticket of *request*; None if none of the current keys made it, or what it shows is lost.

        Raises: as `SignInMethod.keeps`.
        """
        head = read_ticket(request.ticket)
        if head is None:
            return None
        keys = self.keyring.maker(
            Scene(head), client=request.client, account=request.account, user_id=request.user_id
        )
        if keys is None or not await self.methods[head.method].keeps(head, keys):
            return None
        secret = keys.secret(head.ticket)
        shown = self.shown(head, keys, account=request.account, qr_url=request.qr_url)
        return Issued(head, secret, request.account, shown, request.created_at, fresh=False)

    def shown(self, head: TicketHeader, keys: ClientKeys, *, account: str, qr_url: str) -> Shown:
        """Return what the browser shows for a ticket; *qr_url* is its QR code as stored, if it has one.

        Nothing if the client has the account no more.
        """
        if account not in self.accounts(keys.client):
            return Shown()
        return self.methods[head.method].shown(head, keys, account=account, qr_url=qr_url)

    def _lifetime(self, purpose: Purpose) -> timedelta:
        login = purpose is Purpose.LOGIN
        return timedelta(seconds=self.lifetimes.login_lifetime if login else self.lifetimes.bind_lifetime)
