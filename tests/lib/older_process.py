"""The traffic of a process of the version before: it reads and writes while the database is upgraded under it."""

import asyncio
import itertools
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import older_version as older
from sqlalchemy.exc import SQLAlchemyError
from upgrade_people import NOW, SEALED, Place, Stored, Town

from models.errors import StoreUnavailable
from service.storage.database import Database

WORKERS = 3
_PAUSE = 0.02  # seconds between two transactions of a worker


class _FailedError(Exception):
    pass


@dataclass
class OlderProcess:
    """Reads and writes until `ended`, in transactions with the timeouts and retries of a service."""

    database: Database
    town: Town
    ended: bool = False
    done: int = 0
    longest: float = 0.0
    """Seconds."""
    failures: list[str] = field(default_factory=list)

    async def run(self) -> None:
        known = [it for it in self.town.stored if it.users]
        async with asyncio.TaskGroup() as group:
            for worker in range(WORKERS):
                group.create_task(self._work(worker, known))

    async def _work(self, worker: int, known: list[Stored]) -> None:
        rng = Random(worker)
        for number in itertools.count():
            if self.ended:
                return
            it = rng.choice(known)
            client, user = rng.choice(list(it.users.items()))
            with suppress(_FailedError):
                await self._visit(f"new-{worker}-{number}", number)
                found = await self._do(older.log_in, SEALED.cipher, client, it.account, it.openid, at=NOW)
                assert found == user, f"{it} was logged in as {found}"
                assert await self._do(older.users_bindings, client, user, reads=True)

    async def _visit(self, name: str, number: int) -> None:
        """A person follows two accounts, is bound in the first and recognised, or bound to another user."""
        for account in ("main", "second"):
            follower = await self._do(older.follow, SEALED.cipher, account, f"o{name}", None, at=NOW)
            await self._do(older.learn, SEALED.cipher, account, f"o{name}", f"u{name}")
            user = name if account == "main" or number % 10 else f"another-{name}"
            if account == "main" or user != name:
                await self._do(older.bind, "shop", account, user, follower, at=NOW)
            else:
                assert user == await self._do(older.log_in, SEALED.cipher, "shop", account, f"o{name}", at=NOW)
            self.town.know(account, f"o{name}", f"u{name}", {"shop": user})
        if number % 4 == 1:
            await self._do(older.disconnect, "shop", "main", name, at=NOW)
            del self.town.users[Place("shop", "main", f"o{name}")]

    async def _do(self, work: Callable[..., Any], *args: Any, reads: bool = False, **how: Any) -> Any:
        begun, run = time.monotonic(), self.database.read if reads else self.database.attempt
        try:
            return await run(lambda connection: work(connection, *args, **how))
        except (StoreUnavailable, SQLAlchemyError) as e:
            self.failures.append(
                f"{work.__name__} after {time.monotonic() - begun:.1f} s: {e!r} {getattr(e, 'reason', '')}"
            )
            raise _FailedError from e
        finally:
            self.done += 1
            self.longest = max(self.longest, time.monotonic() - begun)
            await asyncio.sleep(_PAUSE)
