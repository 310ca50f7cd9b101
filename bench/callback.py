"""Measures how many scans per second one process turns into bindings: `python -m bench.callback`.

A scan is an encrypted and signed push of a new follower, for a ticket created through the API. The service sends
its encrypted and signed reply once the binding is committed. The bare handler reads the same bodies.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import figures, fixtures, load, processes
from bench.fixtures import Ticket
from bench.load import Load
from bench.processes import Server


@dataclass(frozen=True, slots=True)
class Scene:
    """The servers and the tickets of a run."""

    service: Server
    bare: Server
    tickets: list[Ticket]


async def main(*, scans: int, rounds: int, connections: int) -> None:
    """Push scans; print scans per second, latencies, the ratio, and how many tickets ended as bound."""
    measured: list[tuple[Load, Load]] = []
    with processes.folder() as place:
        async with _scene(place, scans * (rounds + 1)) as scene:
            for number in range(rounds + 1):
                people = range(number * scans, (number + 1) * scans)
                measured.append(await _round(scene, people, connections=connections))
            bound = await _bound(scene)
    del measured[0]  # warm-up
    print(f"\n{connections} connections, {rounds} rounds of {scans} scans; medians of the rounds\n")
    print(_report(measured))
    print(f"\nservice/bare by round: {figures.rounds(load.ratios(measured), digits=3)}")
    print(f"{bound} of {len(scene.tickets)} scans ended bound")


@asynccontextmanager
async def _scene(place: Path, count: int) -> AsyncIterator[Scene]:
    async with (
        processes.wechat(place, people=count) as wechat,
        processes.service(place, wechat=wechat) as service,
        processes.bare(place) as bare,
    ):
        yield Scene(service, bare, await fixtures.tickets(service, count))


async def _round(scene: Scene, people: range, *, connections: int) -> tuple[Load, Load]:
    # Encrypted before the measurement starts, because WeChat does that.
    ours = [fixtures.scan(scene.tickets[person], person) for person in people]
    theirs = [fixtures.scan(scene.tickets[person], person, path="/push/main") for person in people]
    return (
        await load.drive(scene.service.port, ours, connections=connections),
        await load.drive(scene.bare.port, theirs, connections=connections),
    )


async def _bound(scene: Scene) -> int:
    """Read every ticket, and count those that ended as bound."""
    answers: dict[int, bytes] = {}
    await load.drive(scene.service.port, [ticket.ask() for ticket in scene.tickets], answers=answers)
    return sum(json.loads(load.body(answer)).get("outcome") == "bound" for answer in answers.values())


def _report(measured: Sequence[tuple[Load, Load]]) -> str:
    rows = []
    for server, loads in zip(("service", "bare aiohttp"), zip(*measured, strict=True), strict=True):
        latencies = [latency for one in loads for latency in one.latencies]
        rows.append(
            (
                server,
                figures.median([one.rate for one in loads], digits=0),
                *(figures.milliseconds(latencies, share) for share in (0.50, 0.99, 1.0)),
                " ".join(sorted({status for one in loads for status in one.statuses})),
            )
        )
    rows.append(("service/bare", figures.median(load.ratios(measured), digits=3), "", "", "", ""))
    return figures.table(("", "scans/s", "p50 ms", "p99 ms", "max ms", "statuses"), *rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.callback", description=__doc__)
    parser.add_argument("--scans", type=int, default=300, help="scans in a round (300)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8, help="concurrent pushes (8)")
    asyncio.run(main(**vars(parser.parse_args())))
