"""Measures how many scans per second one process turns into bindings: `python -m bench.callback`.

A scan is an encrypted and signed push of a new follower, for a ticket created through the API. The service sends
its encrypted and signed reply once the binding is committed. Two baselines receive the same bodies: the minimal
program decrypts them and commits one row; the bare handler reads them. For PostgreSQL, the transactions and round
trips of one scan are counted as well.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import fixtures, processes, round_trips, stores, turns
from bench.fixtures import Ticket
from bench.result import Result
from bench.server import Server
from bench.stores import Database
from bench.turns import Rounds, Turn

_SERVERS: Final = {"service": 1, "minimal program": 4, "bare aiohttp": 20}
"""How often each server receives every push: a short turn would measure chance. Baselines recognise no repeat."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The servers, in the order of _SERVERS, the sandbox, and the tickets of a run."""

    servers: tuple[Server, Server, Server]
    wechat: Server
    tickets: list[Ticket]


async def main(*, scans: int, rounds: int, connections: int, databases: list[str], delays: list[int]) -> None:
    """Push scans to each server in turn, on each database; print rates, latencies, processor time and ratios."""
    found = Result("callback")
    for name in databases:
        with processes.folder() as place:
            async with stores.database(name, place) as database:
                found.databases.append(database.version)
                measured, wechat = await _load(
                    place, database, scans=scans, rounds=rounds, connections=connections
                )
                figures = turns.summary(measured) | {"sandbox, CPU ms": wechat}
                found.add(name, figures, turns.ratios(measured))
    if "postgresql" in databases:
        found.add("one scan", await round_trips.main(delays))
    found.print()


async def _load(
    place: Path, database: Database, *, scans: int, rounds: int, connections: int
) -> tuple[Rounds, float]:
    """Return the turns, and the milliseconds of processor time that the sandbox took for a scan's `user/info`."""
    measured: dict[str, list[Turn]] = {server: [] for server in _SERVERS}
    async with _scene(place, database, scans * (rounds + 1)) as scene:
        wechat = scene.wechat.cpu()
        for number in range(rounds + 1):
            people = range(number * scans, (number + 1) * scans)
            # Encrypted before the measurement starts, because WeChat does that.
            pushes = [fixtures.scan(scene.tickets[person], person) for person in people]
            for (name, times), server in zip(_SERVERS.items(), scene.servers, strict=True):
                measured[name].append(await turns.turn(server, pushes * times, connections=connections))
        wechat = (scene.wechat.cpu() - wechat) * 1000 / len(scene.tickets)
        bound = await _bound(scene)
    for one in measured.values():
        del one[0]  # warm-up
    print(f"\n{database.version}: {connections} connections, {rounds} rounds of {scans} scans; medians\n")
    print(turns.table(measured))
    print(f"{bound} of {len(scene.tickets)} scans ended bound")
    print(f"the sandbox took {wechat:.2f} ms of processor time for a scan, which only the service's rate contains")
    return measured, wechat


@asynccontextmanager
async def _scene(place: Path, database: Database, count: int) -> AsyncIterator[Scene]:
    async with processes.wechat(place, people=count) as wechat:
        await processes.migrate(place, wechat=wechat, database=database.service)
        async with (
            processes.service(place, wechat=wechat, database=database.service) as service,
            processes.minimal(place, database) as minimal,
            processes.bare(place) as bare,
        ):
            yield Scene((service, minimal, bare), wechat, await fixtures.tickets(service, count))


async def _bound(scene: Scene) -> int:
    """Read every ticket, and count those that ended as bound."""
    read = await fixtures.answers(scene.servers[0], (ticket.ask() for ticket in scene.tickets))
    return sum(one.get("outcome") == "bound" for one in read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.callback", description=__doc__)
    parser.add_argument("--scans", type=int, default=150, help="scans in a round (150)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8, help="concurrent pushes (8)")
    stores.add_option(parser)
    parser.add_argument(
        "--delay",
        dest="delays",
        action="append",
        type=int,
        default=[],
        help="also print the latency of a scan when PostgreSQL and Redis are this many ms away; may be repeated",
    )
    asyncio.run(main(**vars(parser.parse_args())))
