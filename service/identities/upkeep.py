"""Completes rows that an earlier version stored, and those that a process of that version adds beside this one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.errors import StoreUnavailable
from models.tables.identities import followers as table
from service.identities import appids, joining
from service.identities.followers import Followers

log = logging.getLogger(__name__)
_EVERY: Final = 3600.0
_AGAIN: Final = 60.0  # seconds after a failure, such as a lock that a busy database did not give in time

Step = Callable[[], Awaitable[int]]
"""Completes all rows that need it; returns how many."""


def steps(followers: Followers) -> Mapping[str, Step]:
    """Return what is to be done, by what is stored."""
    configured = followers.identities
    storing = {
        f"the appid of account {account}": partial(appids.store, followers.database, account, appid)
        for account, appid in configured.appids.items()
    }
    joining_ = {
        f"the persons of {name}": partial(joining.join_all, followers, table.c.account == name, word)
        for name, word in configured.open_platforms.items()
        if word is not None
    }
    others = sa.and_(configured.not_configured, table.c.open_platform.is_(None))
    joining_["the persons of accounts no longer configured"] = partial(joining.join_all, followers, others, "")
    return storing | joining_


async def run(steps: Mapping[str, Step]) -> None:
    """Now and every hour, or a minute after one failed, take all steps, until cancelled."""
    while True:
        pause = _EVERY
        for what, step in steps.items():
            try:
                if done := await step():
                    log.info("upkeep: stored %s with %d earlier followers", what, done)
            except (StoreUnavailable, IntegrityError) as e:
                log.warning("upkeep: cannot store %s, retrying in a minute: %s", what, type(e).__name__)
                pause = _AGAIN
        await asyncio.sleep(pause)
