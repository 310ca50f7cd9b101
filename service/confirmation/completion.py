"""A ticket ends: in SQL first, where the constraint picks the winner, then for the browsers to see."""

from collections.abc import Callable
from datetime import datetime

from models.ticket import Ending, Purpose, Reason, Status, Ticket
from service.confirmation.scan_context import Stage
from service.identities.follower_refresh import Profiles
from service.identities.followers import Followers
from service.observability.metrics import Metrics
from service.tickets.endings import Endings
from service.tickets.projection import Projection


class Concluding:
    """Confirms and refuses; returns the ending that stands, which may be an earlier one."""

    def __init__(
        self,
        *,
        endings: Endings,
        followers: Followers,
        profiles: Profiles,
        projection: Projection,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._endings = endings
        self._followers = followers
        self._profiles = profiles
        self._metrics = metrics
        self._projection = projection
        self._clock = clock

    async def confirm(self, stage: Stage, ticket: Ticket) -> Ending | None:
        """Log in, register or bind, as the claim says; None if the person has left the account meanwhile.

        Raises:
            StoreUnavailable: the database does not answer; nothing was done.
        """
        if stage.claim.head.purpose is Purpose.BIND and len(stage.client.accounts) > 1:
            await self._learn_unionid(stage)
        ending = await self._endings.confirm(
            stage.claim, stage.openid, policy=stage.policy, state=ticket.asker.state, now=self._clock()
        )
        return await self._shown(stage, ending) if ending else None

    async def refuse(self, stage: Stage, reason: Reason) -> Ending:
        """End the ticket as rejected by the person who holds the phone.

        Raises:
            StoreUnavailable: the database does not answer; nothing was done.
        """
        head = stage.claim.head
        ending = await self._endings.close(
            Ending(
                ticket=head.ticket,
                client=stage.claim.client,
                account=stage.claim.account,
                status=Status.REJECTED,
                reason=reason,
                openid=stage.openid,
                user_id=stage.claim.user_id,
                via=head.via,
                answered_at=self._clock(),
                expires_at=head.expires_at,
            )
        )
        return await self._shown(stage, ending)

    async def _learn_unionid(self, stage: Stage) -> None:
        """Ask WeChat for the person's unionid if it was never asked for: another account may know them."""
        if follower := await self._followers.get(stage.claim.account, stage.openid):
            await self._profiles.known(follower)

    async def _shown(self, stage: Stage, ending: Ending) -> Ending:
        ended = ending.outcome or ending.reason or ending.status
        self._metrics.endings.labels(stage.claim.client, stage.claim.head.purpose, ended).inc()
        await self._projection.show(ending)
        return ending
