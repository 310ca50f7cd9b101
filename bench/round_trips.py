"""Counts what one scan asks of PostgreSQL and Redis, and measures how long it takes when they are far away.

Proxies between the service and both stores count and delay. The first scan after a start is cold: it opens
connections and prepares statements. Warm ones follow one at a time.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bench import figures, fixtures, load, processes, stores
from bench.proxy import Proxy, proxy
from bench.server import Server
from bench.stores import Database
from service.storage.embedded_valkey import valkey

_WARM: Final = 5
"""Warm scans that are measured, after as many that are not."""
_SCANS: Final = 1 + 2 * _WARM
_QUIET: Final = 0.6
"""Seconds without traffic after which the work of a scan is done."""
_WRITTEN: Final = sa.text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
"""How many transactions have written: one that only reads gets no number."""
_COUNTED: Final = ("transactions", "SQL round trips", "Redis round trips")

Counts = tuple[float, ...]
"""One number for each of _COUNTED."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The status of a scan's reply, its latency in seconds, and its counts until the reply and in all."""

    statuses: frozenset[str]
    latency: float
    replied: Counts
    done: Counts


@dataclass(frozen=True, slots=True)
class Observed:
    """The service, the proxies before its stores, and another connection to the database."""

    service: Server
    sql: Proxy
    redis: Proxy
    beside: AsyncConnection

    async def scan(self, push: bytes) -> Scan:
        before = await self._quiet()
        measured = await load.drive(self.service.port, [push], connections=1)
        replied = _since(before, await self._counts())
        done = _since(before, await self._quiet())
        return Scan(frozenset(measured.statuses), measured.latencies[0], replied, done)

    async def _quiet(self) -> Counts:
        """Return the counts once nothing has passed for a while."""
        before, counts = None, await self._counts()
        while before != counts:
            await asyncio.sleep(_QUIET + self.sql.delay)
            before, counts = counts, await self._counts()
        return counts

    async def _counts(self) -> Counts:
        trips = self.sql.trips, self.redis.trips
        return float(await self.beside.scalar(_WRITTEN) or 0), *trips


async def main(delays: Sequence[int]) -> dict[str, float]:
    """Print the counts and latency of a cold and a warm scan, with each of *delays* in ms; return the figures."""
    found: dict[str, float] = {}
    rows = []
    for delay in (0, *delays):
        for kind, scan in (await _scans(delay / 1000)).items():
            name = f"{kind}, stores {delay} ms away"
            pairs = list(zip(_COUNTED, scan.replied, scan.done, strict=True))
            cells = [f"{one:g} / {all_:g}" for _, one, all_ in pairs]
            rows.append((name, " ".join(sorted(scan.statuses)), f"{scan.latency * 1000:.0f}", *cells))
            found[f"{name}, ms"] = scan.latency * 1000
            if not delay:
                found |= {f"{kind}, {what} until the reply": one for what, one, _ in pairs}
                found |= {f"{kind}, {what} in all": all_ for what, _, all_ in pairs}
    print("\nOne scan with PostgreSQL and Redis; counts until the reply / in all\n")
    print(figures.table(("", "status", "ms", *_COUNTED), *rows))
    return found


async def _scans(delay: float) -> dict[str, Scan]:
    """Return a cold scan and the median of the warm ones, on stores of their own."""
    with processes.folder() as place:
        async with (
            stores.database("postgresql", place) as database,
            valkey(place / "stores") as redis,
            processes.wechat(place, people=_SCANS) as wechat,
        ):
            await processes.migrate(place, wechat=wechat, database=database.service)
            # Another process creates the tickets, so that nothing is prepared when the first scan arrives.
            async with processes.service(place, wechat=wechat, database=database.service, redis=redis) as service:
                tickets = await fixtures.tickets(service, _SCANS)
            async with _observed(place, database, redis, wechat=wechat, delay=delay) as observed:
                scans = [await observed.scan(fixtures.scan(one, person)) for person, one in enumerate(tickets)]
    return {"cold": scans[0], "warm": _median(scans[-_WARM:])}


@asynccontextmanager
async def _observed(
    place: Path, database: Database, redis: str, *, wechat: Server, delay: float
) -> AsyncIterator[Observed]:
    url = sa.make_url(database.service)
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with (
        engine.connect() as beside,
        proxy(f"{url.query['host']}/.s.PGSQL.5432", delay=delay) as to_sql,
        proxy(unquote(urlsplit(redis).path), delay=delay) as to_redis,
    ):
        through = url.set(host="127.0.0.1", port=to_sql.port, query={}).render_as_string(hide_password=False)
        address = f"redis://127.0.0.1:{to_redis.port}"
        async with processes.service(place, wechat=wechat, database=through, redis=address) as service:
            yield Observed(service, to_sql, to_redis, beside)
    await engine.dispose()


def _since(before: Counts, after: Counts) -> Counts:
    return tuple(later - earlier for earlier, later in zip(before, after, strict=True))


def _median(scans: Sequence[Scan]) -> Scan:
    return Scan(
        frozenset().union(*(scan.statuses for scan in scans)),
        statistics.median(scan.latency for scan in scans),
        tuple(map(statistics.median, zip(*(scan.replied for scan in scans), strict=True))),
        tuple(map(statistics.median, zip(*(scan.done for scan in scans), strict=True))),
    )
