"""Confirm tickets as a follower."""

from datetime import datetime

import pytest
from decided import ANNA, NOW, Confirm

from models.binding import Policy
from models.events import OpenId
from models.scene import Claim
from models.ticket import Ending
from service.identities.followers import Followers, Sender
from service.tickets.decisions import TicketDecisions


@pytest.fixture
def confirm(decisions: TicketDecisions, followers: Followers) -> Confirm:
    """Confirm as a follower of the account, which every person who scans is."""

    async def run(what: Claim, openid: OpenId = ANNA, policy: Policy | None = None, now: datetime = NOW) -> Ending:
        await followers.seen(Sender(what.account, openid, NOW))
        ending = await decisions.confirm(what, openid, policy=policy or Policy(), state="s😀", now=now)
        assert ending is not None
        return ending

    return run
