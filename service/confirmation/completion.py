"""Ends a ticket: in SQL, where a constraint lets only the first ending in, then in Redis for the browsers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from models.events import OpenId
from models.language import Lang
from models.scene import Claim
from models.ticket import Ending, Reason, Status, Ticket
from service.confirmation.scan_context import ScanContext
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Arrival, Authorized, Followers, Sender
from service.observability.metrics import Metrics
from service.tickets.decisions import TicketDecisions
from service.tickets.projection import Projection


@dataclass(slots=True, kw_only=True)
class TicketCompletion:
    """Confirms or rejects tickets. The ending returned may be an earlier one, which then stands."""

    decisions: TicketDecisions
    followers: Followers
    follower_refresh: FollowerRefresh
    projection: Projection
    metrics: Metrics
    clock: Callable[[], datetime]

    async def confirm(self, context: ScanContext, ticket: Ticket) -> Ending | None:
        """Log in, register or bind, as the claim says; None if the person has unsubscribed meanwhile.

        Raises:
            StoreUnavailable: the database does not answer; nothing was done.
        """
        if _several(context) and (follower := await self.followers.get(context.claim.account, context.openid)):
            await self.follower_refresh.known(follower)
        ending = await self.decisions.confirm(
            context.claim,
            context.openid,
            policy=context.client.policy,
            state=ticket.requester.state,
            now=self.clock(),
        )
        return await self._publish(context.claim, ending) if ending else None

    async def confirm_arrival(
        self, context: ScanContext, ticket: Ticket, arrival: Arrival
    ) -> tuple[Ending, Lang | None]:
        """Store the person and confirm the ticket, in one transaction; return their language if known.

        The ending is not copied to Redis yet.

        Raises:
            StoreUnavailable: the database does not answer; nothing was done.
        """
        if _several(context):
            await self._fetch_unionid(arrival)
            if isinstance(arrival, Sender):
                arrival = replace(arrival, followed=False)  # has been stored
        ending, follower = await self.decisions.confirm_arrival(
            context.claim,
            arrival,
            policy=context.client.policy,
            state=ticket.requester.state,
            now=self.clock(),
        )
        self.follower_refresh.refresh(follower)
        self._count(context.claim, ending)
        return ending, follower.lang

    async def store_arrival(self, context: ScanContext, arrival: Arrival) -> None:
        """Store the person, with their unionid, for a later bind, which fails if they are erased until then.

        Raises: as `confirm_arrival`.
        """
        await self.followers.seen(arrival)
        if _several(context):
            await self._fetch_unionid(arrival)

    async def refuse(self, claim: Claim, reason: Reason, *, openid: OpenId | None = None) -> Ending:
        """End the ticket as rejected on the phone, by *openid* if that is known.

        Raises:
            StoreUnavailable: the database does not answer; nothing was done.
        """
        head = claim.head
        ending = await self.decisions.close(
            Ending(
                ticket=head.ticket,
                client=claim.client,
                account=claim.account,
                status=Status.REJECTED,
                reason=reason,
                openid=openid,
                user_id=claim.user_id,
                via=head.via,
                answered_at=self.clock(),
                expires_at=head.expires_at,
            )
        )
        return await self._publish(claim, ending)

    async def _fetch_unionid(self, arrival: Arrival) -> None:
        """Fetch the unionid of a follower, unless the authorization told it."""
        follower = None
        match arrival:
            case Sender():
                follower = await self.followers.seen(arrival)
            case Authorized(unionid=None):
                follower = await self.followers.get(arrival.account, arrival.openid)
        if follower:
            await self.follower_refresh.known(follower)

    async def _publish(self, claim: Claim, ending: Ending) -> Ending:
        self._count(claim, ending)
        await self.projection.show(ending)
        return ending

    def _count(self, claim: Claim, ending: Ending) -> None:
        ended = ending.outcome or ending.reason or ending.status
        self.metrics.endings.labels(claim.client, claim.head.purpose, ended).inc()


def _several(context: ScanContext) -> bool:
    """Tell whether the person may be bound by another identity: then the unionid must be known before."""
    return len(context.client.accounts) + len(context.client.apps) > 1
