"""Measures whether polls, scans and exchanges become slower with the number of bindings: `python -m bench.scale`.

Two services run on databases that contain few and many bindings and take turns. Every ratio should be near 1.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from bench import filling, fixtures, processes, stores, turns
from bench.fixtures import Ticket
from bench.result import Result
from bench.server import Server
from bench.turns import Rounds, Turn

_KINDS: Final = ("poll", "scan", "exchange")
_POLLS: Final = 20
"""Polls for each scan."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A service on a filled database of a version, and a ticket for each person who will scan."""

    version: str
    service: Server
    tickets: list[Ticket]

    async def turns(self, people: range, *, connections: int) -> list[Turn]:
        """Poll, scan and exchange, in the order of _KINDS."""
        tickets = [self.tickets[person] for person in people]
        polls = list(islice(cycle(ticket.ask() for ticket in tickets), _POLLS * len(tickets)))
        scans = [fixtures.scan(ticket, person) for ticket, person in zip(tickets, people, strict=True)]
        found = [await turns.turn(self.service, requests, connections=connections) for requests in (polls, scans)]
        logins = await fixtures.logins(self.service, len(people))
        await fixtures.scanned(self.service, logins, people, known=True)
        exchanges = list(map(fixtures.exchange, await fixtures.codes(self.service, logins)))
        return [*found, await turns.turn(self.service, exchanges, connections=connections)]


async def main(*, sizes: list[int], scans: int, rounds: int, connections: int, databases: list[str]) -> None:
    """Load a service of each size in turn; print rates, latencies, and the ratios of the largest to the others."""
    found = Result("scale")
    for name in databases:
        async with AsyncExitStack() as stack:
            filled = {
                f"{size} bindings": await stack.enter_async_context(_filled(name, size, scans * (rounds + 1)))
                for size in sorted(sizes, reverse=True)
            }
            measured = await _rounds(filled, scans=scans, rounds=rounds, connections=connections)
        print(f"\n{name}: {connections} connections, {rounds} rounds of {scans} scans; medians of the rounds")
        for kind, one in measured.items():
            print(f"\n{kind}\n\n{turns.table(one)}")
            found.add(f"{name}, {kind}", turns.summary(one), turns.ratios(one))
        found.databases += {one.version for one in filled.values()}
    found.print()


async def _rounds(
    filled: Mapping[str, Filled], *, scans: int, rounds: int, connections: int
) -> Mapping[str, Rounds]:
    """Return the rounds of each of _KINDS."""
    measured: dict[str, dict[str, list[Turn]]] = {kind: {size: [] for size in filled} for kind in _KINDS}
    for number in range(rounds + 1):
        people = range(number * scans, (number + 1) * scans)
        order = list(filled.items())
        for size, one in order if number % 2 else reversed(order):
            for kind, turn in zip(_KINDS, await one.turns(people, connections=connections), strict=True):
                if number:  # the first round is the warm-up
                    measured[kind][size].append(turn)
    return measured


@asynccontextmanager
async def _filled(name: str, size: int, people: int) -> AsyncIterator[Filled]:
    with processes.folder() as place:
        async with stores.database(name, place) as database, processes.wechat(place, people=people) as wechat:
            await processes.migrate(place, wechat=wechat, database=database.service)
            await filling.fill(database.service, size)
            async with processes.service(place, wechat=wechat, database=database.service) as service:
                yield Filled(database.version, service, await fixtures.tickets(service, people))


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument(
        "--bindings", dest="sizes", type=_sizes, default="10000,1000000", help="how many (10000,1000000)"
    )
    parser.add_argument("--scans", type=int, default=100, help="scans in a round, and as many exchanges (100)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    stores.add_option(parser, default=("sqlite",))
    asyncio.run(main(**vars(parser.parse_args())))
