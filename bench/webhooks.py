"""Measures what a webhook costs the scan that it tells of: `python -m bench.webhooks`.

Two services take turns. One posts each binding to a receiver, a process of its own, and one has no webhooks. Scans
are sent one after the other with pauses, as people scan, and several at once without any.
"""

import argparse
import asyncio
import re
import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from bench import figures, fixtures, load, processes, stores, turns
from bench.fixtures import Ticket
from bench.load import Load
from bench.result import Result
from bench.server import Server
from bench.turns import Rounds, Turn

_WITHOUT, _WITH = "without", "with"
_KINDS: Final = ("one by one", "at once")
_DELIVERED: Final = re.compile(rb'scanbind_webhooks_total\{client="shop",outcome="delivered"\} ([\d.]+)')


@dataclass(frozen=True, slots=True)
class Scene:
    """A service on a database of a version, and a ticket for each person who will scan."""

    version: str
    service: Server
    tickets: list[Ticket]

    async def turns(self, people: range, *, pause: float, connections: int) -> list[Turn]:
        """Scan, in the order of _KINDS."""
        pushes = [fixtures.scan(self.tickets[person], person) for person in people]
        half = len(pushes) // 2
        one_by_one = await _one_by_one(self.service, pushes[:half], pause=pause)
        return [one_by_one, await turns.turn(self.service, pushes[half:], connections=connections)]

    async def delivered(self) -> int:
        """Return how many webhooks the service has delivered."""
        answers: dict[int, bytes] = {}
        await load.drive(self.service.port, [load.request("GET", "/metrics")], connections=1, answers=answers)
        found = _DELIVERED.search(answers[0])
        return int(float(found[1])) if found else 0


async def main(*, scans: int, rounds: int, connections: int, pause: int, databases: list[str]) -> None:
    """Push scans to each service in turn, on each database; print latencies, processor time and ratios."""
    found = Result("webhooks")
    for name in databases:
        async with AsyncExitStack() as stack:
            scenes = {
                it: await stack.enter_async_context(_scene(name, 2 * scans * (rounds + 1), webhook=it == _WITH))
                for it in (_WITHOUT, _WITH)
            }
            measured = await _rounds(
                scenes, scans=scans, rounds=rounds, pause=pause / 1000, connections=connections
            )
            delivered = await scenes[_WITH].delivered()
        found.databases.append(scenes[_WITH].version)
        how = f"{rounds} rounds of {scans} scans, {pause} ms apart or {connections} at once"
        print(f"\n{scenes[_WITH].version}: {how}")
        for kind, one in measured.items():
            print(f"\n{kind}\n\n{turns.table(one)}")
            ratios = turns.ratios(one) | _latency_ratios(one)
            found.add(f"{name}, {kind}", turns.summary(one) | _each_webhook(one), ratios)
        print(f"\n{_described(measured)}\n{delivered} of {len(scenes[_WITH].tickets)} webhooks delivered")
        found.add(name, {"delivered": delivered})
    found.print()


async def _rounds(
    scenes: Mapping[str, Scene], *, scans: int, rounds: int, pause: float, connections: int
) -> Mapping[str, Rounds]:
    """Return the rounds of each of _KINDS; the service without webhooks is the first, as `turns` reads them."""
    measured: dict[str, dict[str, list[Turn]]] = {
        kind: {name: [] for name in (_WITH, _WITHOUT)} for kind in _KINDS
    }
    for number in range(rounds + 1):
        people = range(number * 2 * scans, (number + 1) * 2 * scans)
        order = list(scenes.items())
        for name, scene in order if number % 2 else reversed(order):
            found = await scene.turns(people, pause=pause, connections=connections)
            for kind, turn in zip(_KINDS, found, strict=True):
                if number:  # the first round is the warm-up
                    measured[kind][name].append(turn)
    return measured


async def _one_by_one(server: Server, pushes: Sequence[bytes], *, pause: float) -> Turn:
    """Send each push *pause* seconds after the reply to the last one."""
    before, found, began = server.cpu(), Load(), perf_counter()
    for push in pushes:
        one = await load.drive(server.port, [push], connections=1)
        found.latencies += one.latencies
        found.statuses += one.statuses
        await asyncio.sleep(pause)
    found.seconds = perf_counter() - began
    return Turn(found, await server.settled() - before)


@asynccontextmanager
async def _scene(name: str, people: int, *, webhook: bool) -> AsyncIterator[Scene]:
    with processes.folder() as place:
        async with (
            stores.database(name, place) as database,
            processes.wechat(place, people=people) as wechat,
            processes.bare(place) as receiver,
        ):
            await processes.migrate(place, wechat=wechat, database=database.service)
            to = receiver if webhook else None
            async with processes.service(place, wechat=wechat, database=database.service, webhook=to) as service:
                yield Scene(database.version, service, await fixtures.tickets(service, people))


def _latency_ratios(measured: Rounds) -> dict[str, list[float]]:
    """Return the ratio of the median latencies of each round, of the service without webhooks to that with."""
    pairs = zip(measured[_WITHOUT], measured[_WITH], strict=True)
    return {"p50, without/with": [_p50(one) / _p50(other) for one, other in pairs]}


def _each_webhook(measured: Rounds) -> dict[str, float]:
    """Return the processor time that the service needs for a webhook."""
    pairs = zip(measured[_WITH], measured[_WITHOUT], strict=True)
    return {"a webhook, CPU ms": statistics.median(one.each - other.each for one, other in pairs)}


def _described(measured: Mapping[str, Rounds]) -> str:
    lines = [
        f"{kind}: latency of a scan with a webhook / without: "
        f"{figures.median([1 / it for it in _latency_ratios(one)['p50, without/with']])}; "
        f"a webhook: {figures.median([_each_webhook(one)['a webhook, CPU ms']])} ms of processor time"
        for kind, one in measured.items()
    ]
    return "\n".join(lines)


def _p50(turn: Turn) -> float:
    return figures.quantile(turn.load.latencies, 0.50)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.add_argument("--scans", type=int, default=60, help="scans of each kind in a round (60)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8, help="concurrent pushes (8)")
    parser.add_argument("--pause", type=int, default=60, help="ms between two scans that come one by one (60)")
    stores.add_option(parser)
    asyncio.run(main(**vars(parser.parse_args())))
