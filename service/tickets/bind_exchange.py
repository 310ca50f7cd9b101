"""Use case: exchange the code of a redirect bind, which binds the person who came back (contract.md 8.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from models.binding import Conflict
from models.errors import AccountNotConfigured, BindingConflict, InvalidCode
from models.scene import Claim, Scene, TicketHeader
from models.ticket import CODE_LIVES
from models.web_authorization import Redirect
from service.config.clients import Client
from service.crypto.keyring import Keyring
from service.observability.metrics import Metrics
from service.tickets.decisions import BoundByRedirect, TicketDecisions
from service.tickets.projection import Projection
from service.tickets.redirects import Redirects


@dataclass(slots=True, kw_only=True)
class BindExchange:
    """Commits binds whose browser came back from WeChat."""

    clients: Mapping[str, Client]
    appids: Mapping[str, str]
    keyring: Keyring
    redirects: Redirects
    decisions: TicketDecisions
    projection: Projection
    metrics: Metrics
    clock: Callable[[], datetime]

    async def exchange(self, client: str, head: TicketHeader, code: str) -> BoundByRedirect:
        """Bind, and end the ticket, exactly once, within CODE_LIVES of the return and before the ticket expires.

        Raises: as `CodeExchange.exchange`.
        """
        redirect, now = await self.redirects.of(head), self.clock()
        if redirect is None or redirect.openid is None or redirect.returned_at is None:
            raise InvalidCode
        openid, at = redirect.openid, redirect.returned_at
        if not self.keyring.made(code, client, lambda keys: keys.code(head.ticket, openid, at)):
            raise InvalidCode
        if now >= min(at + CODE_LIVES, head.expires_at):
            raise InvalidCode
        claim = self._claim(client, head, redirect)
        appid_of(client, redirect.account, clients=self.clients, appids=self.appids)
        bound = await self.decisions.bind_by_redirect(
            claim,
            openid,
            policy=self.clients[client].policy,
            state=redirect.back.state,
            now=now,
        )
        if bound is None:
            raise InvalidCode
        if isinstance(bound, Conflict):
            raise BindingConflict(bound.reason)
        await self.projection.show(bound.ending)
        self.metrics.endings.labels(client, head.purpose, bound.ending.outcome).inc()
        return bound

    def _claim(self, client: str, head: TicketHeader, redirect: Redirect) -> Claim:
        """Return the claim that the ticket signs: Redis alone must not say whom to bind."""
        whose = {"client": client, "account": redirect.account}
        if redirect.user_id is None or not self.keyring.maker(Scene(head), user_id=redirect.user_id, **whose):
            raise InvalidCode
        return Claim(head, user_id=redirect.user_id, **whose)


def appid_of(client: str, account: str, *, clients: Mapping[str, Client], appids: Mapping[str, str]) -> str:
    """Return the appid of an account or app. Raises AccountNotConfigured if the client does not have it."""
    appid = appids.get(account) if clients[client].has(account) else None
    if appid is None:
        raise AccountNotConfigured(f"the account {account} is not configured for this client any more")
    return appid
