"""Use case: take a browser to WeChat's web authorization and back (contract.md 8.3, 8.4).

The browser that opened an address has a cookie, and the address of WeChat a random `state`. What comes back counts
only with both. WeChat's code is exchanged once: the first request with it does that, and the same browser gets the
same outcome again for ten minutes.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from models.binding import UserId
from models.errors import StoreUnavailable, WeChatUnavailable
from models.language import Lang
from models.method import REDIRECTS
from models.scene import Scene, TicketHeader, read_ticket
from models.ticket import Purpose, Reason
from models.web_authorization import (
    DONE,
    MORE,
    OVER,
    REPLAYED_FOR,
    SNAPSHOT,
    Authorization,
    CookieMissing,
    Redirect,
    ReturnError,
    Scope,
    UnusableAuthorization,
    Way,
    browser_of,
    digest_of,
    error_of,
)
from service.audit.log import AuditLog
from service.config.clients import Client
from service.confirmation.completion import TicketCompletion
from service.confirmation.scan import note_scan
from service.confirmation.scan_context import ScanContext, SceneVerifier
from service.crypto.keyring import Capability, Keyring
from service.identities.followers import Authorized, Followers
from service.identities.profile_refresh import ProfileRefresh
from service.methods.destinations import Departure, Destination
from service.storage.records import RecordStore
from service.tickets.redirects import Redirects
from service.tickets.status import TicketStatus
from service.wechat.web_authorization import Grant, WebProfile

log = logging.getLogger(__name__)

PREFIX: Final = "scanbind:w:"
WAYS: Final[Mapping[Capability, Way]] = {
    Capability.AUTHORIZE: Way.REDIRECT,
    Capability.PANEL: Way.PANEL,
    Capability.LINK: Way.LINK,
}
_OF_WAY: Final = {way: what for what, way in WAYS.items()}
_PATIENCE: Final = timedelta(seconds=24)
"""How long the outcome of a request is waited for: longer than two calls to WeChat and a picture may take."""
_PAUSE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of an authorization. `fields` are for the site: code or error, and its state."""

    head: TicketHeader
    client: str
    way: Way
    outcome: str
    state: str
    """The name of the authorization."""
    return_url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Visits:
    """Opens addresses that lead to WeChat, and takes what WeChat returns. All methods raise StoreUnavailable."""

    destinations: Mapping[str, Destination]
    """The accounts and apps that authorize, by name."""
    clients: Mapping[str, Client]
    public_url: str
    keyring: Keyring
    authorizations: RecordStore[Authorization]
    redirects: Redirects
    verifier: SceneVerifier
    ticket_status: TicketStatus
    completion: TicketCompletion
    followers: Followers
    profile_refresh: ProfileRefresh
    audit: AuditLog
    clock: Callable[[], datetime]

    async def open(
        self,
        what: Capability,
        given: str,
        *,
        cookie: str,
        in_session: Callable[[str], Awaitable[bool]],
        lang: Lang | None,
        in_wecom: bool = False,
        scope: Scope | None = None,
    ) -> str:
        """Return the address at WeChat for a browser that opened an address of ours, which ends in *given*.

        A redirect ticket belongs to the first browser; one of the portal, to the browser that has its session, as
        *in_session* tells. *in_wecom*: the browser is WeCom's own. *scope* overrides what WeChat is asked for.

        Raises:
            UnusableAuthorization: as `usable`, or the address is another browser's.
        """
        head, client = await self.usable(what, given)
        if head.purpose is Purpose.BIND:
            found = await self.redirects.of(head)
            if found and found.back.portal and not await in_session(found.back.portal):
                raise UnusableAuthorization
        way, browser = WAYS[what], browser_of(head.ticket, cookie)
        account, user_id = await self._target(head, client, way, browser)
        if not self._configured(head, client, account):
            raise UnusableAuthorization
        scope = scope or self.destinations[account].first_scope(in_wecom=in_wecom)
        begun = Authorization(head.ticket, client, account, way, scope, browser, user_id=user_id)
        return await self._leave(head, begun, lang or head.lang or self.clients[client].lang)

    async def usable(self, what: Capability, given: str) -> tuple[TicketHeader, str]:
        """Return the ticket and the client of an address of ours that still leads somewhere.

        Raises:
            UnusableAuthorization: it is not genuine, or the ticket is over.
        """
        head, client = self.holder(what, given)
        if (await self.ticket_status.read(head)).status.final:
            raise UnusableAuthorization
        return head, client

    async def _target(self, head: TicketHeader, client: str, way: Way, browser: str) -> tuple[str, UserId | None]:
        """Return the account or app of a ticket, and the user of a bind. A redirect is the first browser's."""
        if way is not Way.LINK:
            redirect = await self.redirects.claim(head, way, browser)
            return redirect.account, redirect.user_id
        claim = await self.verifier.claim_of(client, Scene(head))
        if claim is None:
            raise UnusableAuthorization
        return claim.account, claim.user_id

    def _configured(self, head: TicketHeader, client: str, account: str) -> bool:
        """Tell whether the client still has the ticket's method and the account or app."""
        known = account in self.destinations and client in self.clients
        return known and self.clients[client].serves(head.method, account)

    def address(self, returned: Returned) -> str:
        """Return the address of ours that the browser opened before."""
        what, keys = _OF_WAY[returned.way], self.keyring.newest(returned.client)
        return f"{self.public_url}/{what}/{keys.capability(what, returned.head.ticket)}"

    def holder(self, what: Capability, given: str) -> tuple[TicketHeader, str]:
        """Return the ticket and the client of an address of ours.

        Raises:
            UnusableAuthorization: it is not genuine.
        """
        permitted = self.keyring.permitted(what, given)
        head = read_ticket(permitted[0]) if permitted else None
        if permitted is None or head is None:
            raise UnusableAuthorization
        return head, permitted[1].client

    async def _leave(self, head: TicketHeader, begun: Authorization, lang: Lang) -> str:
        state = secrets.token_hex(16)
        await self.authorizations.add(state, begun, until=head.expires_at)
        departure = Departure(
            scope=begun.scope,
            redirect_uri=f"{self.public_url}/oauth/{begun.account}",
            state=state,
            lang=lang,
            in_frame=begun.way is Way.PANEL,
        )
        return self.destinations[begun.account].address(departure)

    async def returned(self, account: str, *, state: str, code: str, cookies: Mapping[Way, str]) -> Returned:
        """Take what WeChat returned for *account*; an empty *code* is a refusal.

        Raises:
            UnusableAuthorization: the state is unknown, another browser's, or came back with another code, or the
                ticket is over. Nothing was used up.
            CookieMissing: the same, for a panel without any cookie.
        """
        held, head = await self._of(account, state, cookies)
        if held.code is None and (await self.ticket_status.read(head)).status.final:
            raise UnusableAuthorization
        digest, now, first = digest_of(code), self.clock(), False

        def take(found: Authorization) -> Authorization:
            nonlocal first
            first = found.code is None
            return replace(found, code=digest, answered_at=now) if first else found

        held = await self._change(state, take)
        if held.code != digest or held.answered_at is None or (age := now - held.answered_at) >= REPLAYED_FOR:
            raise UnusableAuthorization
        if first:
            held = await self._decided(head, held, code)
            await self._change(state, lambda _: held)
        elif held.outcome is None:
            held = await self._outcome(state, held, age=age)
        return await self._told(head, state, held)

    async def by_link(self, head: TicketHeader, *, state: str, cookie: str) -> Authorization | None:
        """Return the authorization of a link that this browser began; None if another one did, or it is over."""
        held = await self._load(state)
        own = held and held.way is Way.LINK and held.browser == browser_of(head.ticket, cookie)
        return held if own else None

    async def refuse_link(self, state: str, reason: Reason) -> None:
        """Store that the person of a link refuses.

        Raises:
            UnusableAuthorization: Redis lost the authorization.
        """
        await self._change(state, lambda held: replace(held, refused=reason))

    async def _load(self, state: str) -> Authorization | None:
        return await self.authorizations.load(state) if state.isalnum() and state.isascii() else None

    async def _of(
        self, account: str, state: str, cookies: Mapping[Way, str]
    ) -> tuple[Authorization, TicketHeader]:
        held = await self._load(state)
        head = read_ticket(held.ticket) if held else None
        if held is None or head is None or held.account != account:
            raise UnusableAuthorization
        if not self._configured(head, held.client, account):
            raise UnusableAuthorization
        cookie = cookies[held.way]
        if held.way is Way.PANEL and not cookie:
            raise CookieMissing(client=held.client)
        if held.browser != browser_of(head.ticket, cookie):
            raise UnusableAuthorization
        return held, head

    async def _change(self, state: str, move: Callable[[Authorization], Authorization]) -> Authorization:
        held = await self.authorizations.change(state, move, until=self.clock() + REPLAYED_FOR)
        if held is None:
            raise UnusableAuthorization
        return held

    async def _outcome(self, state: str, held: Authorization, *, age: timedelta) -> Authorization:
        """Wait for the outcome of a request of this *age* with the same code; a crash may have left it without."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(_PATIENCE, _PATIENCE - age).total_seconds()
        while held.outcome is None and loop.time() < until:
            await asyncio.sleep(_PAUSE)
            held = await self.authorizations.load(state) or held
        return replace(held, outcome=held.outcome or ReturnError.TEMPORARILY_UNAVAILABLE)

    async def _decided(self, head: TicketHeader, held: Authorization, code: str) -> Authorization:
        """Exchange WeChat's code and do what the ticket is for; return the authorization with its outcome."""
        try:
            if not code:
                return replace(held, outcome=await self._refused(head, held))
            destination = self.destinations[held.account]
            grant = await destination.exchange(code)
            if not destination.admits(grant):
                log.info("web authorization: refused an outsider of %s", held.account)
                return replace(held, outcome=await self._refused(head, held))
            return await self._identified(head, held, grant)
        except WeChatUnavailable as e:
            outcome = error_of(e.errcode)
        except StoreUnavailable as e:
            log.warning("web authorization: a store is unavailable, the visitor must start again: %s", e)
            outcome = ReturnError.TEMPORARILY_UNAVAILABLE
        except Exception:  # the site is told (contract.md 8.3), and the operator by the log
            log.exception("web authorization: unexpected error")
            outcome = ReturnError.SERVER_ERROR
        return replace(held, outcome=outcome)

    async def _refused(self, head: TicketHeader, held: Authorization) -> str:
        claim = await self.verifier.claim(Scene(head, held.user_id), account=held.account)
        if claim is None:
            return OVER
        if held.way is not Way.LINK:
            if (await self.ticket_status.read_afresh(head)).openid:  # of a person who came back the other way
                return OVER
            await self.completion.refuse(claim, Reason.DECLINED)
        return ReturnError.ACCESS_DENIED

    async def _identified(self, head: TicketHeader, held: Authorization, grant: Grant) -> Authorization:
        if grant.snapshot:
            if held.way is Way.REDIRECT:
                await self.redirects.release(head, held.way, held.browser)
            return replace(held, outcome=SNAPSHOT)
        scene = Scene(head, held.user_id)
        context = await self.verifier.verify(scene, account=held.account, openid=grant.openid, lang=None)
        if context is None:
            return replace(held, outcome=OVER)
        if await self._needs_more(held, grant, context.client):
            return replace(held, outcome=MORE)
        profile = await self._profile(held, grant, context)
        unionid = grant.unionid or (profile.unionid if profile else None)
        person = Authorized(held.account, grant.openid, unionid)
        outcome = await self._done(held, context, person)
        if profile and outcome == DONE and context.client.profile:
            # Before the browser goes on: the site asks for both when it exchanges its code.
            await self.profile_refresh.refresh((person.account, person.openid), profile)
        return replace(held, outcome=outcome, openid=person.openid, unionid=unionid)

    async def _needs_more(self, held: Authorization, grant: Grant, client: Client) -> bool:
        """Tell whether to ask for more than the openid, of `h5` alone (contract.md 8.3)."""
        destination = self.destinations[held.account]
        if held.way is not Way.REDIRECT or held.scope is not Scope.BASE or not destination.tells_more:
            return False
        if client.profile:
            return True
        return bool(destination.open_platform) and await self.followers.get(held.account, grant.openid) is None

    async def _profile(self, held: Authorization, grant: Grant, context: ScanContext) -> WebProfile | None:
        """Ask for name and picture if the client shows them, and for a unionid that the grant left out."""
        destination = self.destinations[held.account]
        joins = grant.unionid is None and bool(destination.open_platform)
        if held.scope is Scope.BASE or not (joins or context.client.profile):
            return None
        try:
            return await destination.profile(grant, lang=context.lang)
        except WeChatUnavailable as e:
            if joins:
                raise
            log.warning("web authorization: a person signs in without name and picture: %s", e)
            return None

    async def _done(self, held: Authorization, context: ScanContext, person: Authorized) -> str:
        """Log in, or keep the person for the exchange or for the question; return the outcome."""
        head = context.claim.head
        ticket = await self.ticket_status.read_afresh(head)
        note_scan(self.audit, context, ticket)
        if held.way is Way.LINK:  # its page tells a second person, and how the ticket ended
            return DONE
        if ticket.status.final or ticket.openid not in (None, person.openid):
            return OVER
        if head.purpose is Purpose.LOGIN or await self._by_portal(head):
            ending, _ = await self.completion.confirm_arrival(context, ticket, person)
            await self.completion.projection.show(ending, known=ticket)
            return DONE if ending.openid == person.openid else OVER
        await self.completion.store_arrival(context, person)
        if (await self.ticket_status.mark_scanned(head, person.openid)).openid != person.openid:
            return OVER
        await self.redirects.returned(head, person.openid, now=self.clock())
        return DONE

    async def _by_portal(self, head: TicketHeader) -> bool:
        """Tell whether the portal made this bind, and so proved the browser when it left for WeChat."""
        redirect = await self.redirects.of(head)
        return redirect is not None and bool(redirect.back.portal)

    async def _told(self, head: TicketHeader, state: str, held: Authorization) -> Returned:
        """Return what the browser is shown, or what its site is told."""
        if held.outcome in (None, OVER):
            raise UnusableAuthorization
        told = Returned(head, held.client, held.way, str(held.outcome), state)
        if held.outcome in (SNAPSHOT, MORE) or head.method not in REDIRECTS:
            return told
        redirect = await self.redirects.of(head)
        if redirect is None:
            raise UnusableAuthorization
        # Redis alone must not say where a code goes. The portal gets none.
        if not redirect.back.portal and redirect.back.url not in self.clients[held.client].return_urls:
            raise UnusableAuthorization
        if held.outcome == DONE:
            fields = await self._result(head, held, redirect)
        else:
            fields = {"error": str(held.outcome)}
        if redirect.back.state:
            fields["state"] = redirect.back.state
        return replace(told, return_url=redirect.back.url, fields=fields)

    async def _result(self, head: TicketHeader, held: Authorization, redirect: Redirect) -> dict[str, str]:
        """Return the one-time code for the site, or how a bind of the portal ended."""
        openid, at, ticket = redirect.openid, redirect.returned_at, None
        if head.purpose is Purpose.LOGIN or redirect.back.portal:
            ticket = await self.ticket_status.read(head)
            openid, at = ticket.openid, ticket.answered_at
        if openid is None or at is None or openid != held.openid:  # erased, or another person's
            raise UnusableAuthorization
        if ticket and redirect.back.portal:
            return {"ended": ticket.outcome or ticket.reason or ticket.status}
        return {"code": self.keyring.newest(held.client).code(head.ticket, openid, at)}
