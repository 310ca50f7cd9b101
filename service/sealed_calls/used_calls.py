"""Accepts each sealed call once, while it is fresh (contract.md 9). SQL decides: a lost Redis changes nothing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from models import base64url
from models.errors import InvalidRequest
from models.tables.sealed_calls import sealed_calls
from models.timestamps import rfc3339
from service.storage.database import Database
from service.storage.inserting import insert_unless_taken
from service.storage.purge import purge

FRESH_FOR: Final = 300
"""Seconds by which a call's `iat` may differ from the service's clock."""
KEPT: Final = timedelta(hours=1)
"""A call can be repeated until 600 s after its first use at most; the rest allows for clocks that differ."""


@dataclass(slots=True, kw_only=True)
class UsedCalls:
    """The sealed calls that were used, of all clients."""

    database: Database
    clock: Callable[[], datetime]

    async def use(self, client: str, jti: str, *, issued_at: int) -> None:
        """Use up a call of *client* that was issued at *issued_at*, in seconds since 1970.

        Raises:
            InvalidRequest: it is not fresh, or was used before.
            StoreUnavailable: the database does not answer.
        """
        now = self.clock()
        if abs(int(now.timestamp()) - issued_at) > FRESH_FOR:
            raise InvalidRequest(
                f"iat: must be within {FRESH_FOR} seconds of the service's clock, "
                f"which shows {int(now.timestamp())} ({rfc3339(now)})"
            )
        row = {"id": _key(client, jti), "used_at": now}

        def work(connection: sa.Connection) -> bool:
            return insert_unless_taken(connection, sealed_calls, row) is not None

        if not await self.database.once(work):
            raise InvalidRequest("jti: was used before")

    async def purge(self, before: datetime) -> int:
        """Delete calls that were used before *before*; return how many."""
        return await purge(self.database, sealed_calls.c.id, before, when=sealed_calls.c.used_at)


def _key(client: str, jti: str) -> str:
    """Return what stands for the call in SQL. No client's name has a colon."""
    return base64url.encode(hashlib.sha256(f"{client}:{jti}".encode()).digest())
