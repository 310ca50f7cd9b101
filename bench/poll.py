"""Measures the rate and latency of ticket polls on one process, against bare handlers: `python -m bench.poll`."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from bench import fixtures, load, processes, turns
from bench.fixtures import Ticket
from bench.result import Result
from bench.server import Server
from bench.turns import Turn

_SERVERS, _CLIENT = 0, 1
"""CPUs: the measured servers run on one, the load generator on the other."""

Requests = tuple[Server, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Contest:
    """The same requests for the service and for a bare handler, and their turns."""

    name: str
    service: Requests
    bare: Requests
    measured: dict[str, list[Turn]] = field(
        default_factory=lambda: {"service": [], "bare aiohttp": []}, init=False
    )

    async def round(self, seconds: float) -> None:
        """Load one, then the other."""
        for name, (server, requests) in zip(self.measured, (self.service, self.bare), strict=True):
            before = server.cpu()
            one = await load.drive(server.port, cycle(requests), seconds=seconds)
            self.measured[name].append(Turn(one, server.cpu() - before))


async def main(*, tickets: int, rounds: int, seconds: float) -> None:
    """Poll pending tickets; print requests per second, latencies, processor time and ratios."""
    with processes.folder() as place:
        async with _contests(place, tickets) as contests:
            for number in range(rounds + 1):
                for contest in contests:
                    await contest.round(seconds if number else seconds / 2)  # the first one is the warm-up
    print(f"\n{tickets} pending tickets, 16 connections, {rounds} rounds of {seconds} s; medians of the rounds")
    found = Result("poll")
    for contest in contests:
        measured = {name: all_[1:] for name, all_ in contest.measured.items()}
        print(f"\n{contest.name}\n\n{turns.table(measured)}")
        found.add(contest.name, turns.summary(measured), turns.ratios(measured))
    found.print()


@asynccontextmanager
async def _contests(place: Path, count: int) -> AsyncIterator[list[Contest]]:
    """Start the servers and create the tickets."""
    processes.pin(os.getpid(), _CLIENT)
    async with processes.wechat(place, people=0) as wechat, processes.service(place, wechat=wechat) as service:
        made = await fixtures.tickets(service, count)
        answer = await _answer(service, made[0])
        tag = load.header(answer, "ETag")
        async with processes.bare(place, answer=load.body(answer)) as bare:
            for server in (service, bare):
                processes.pin(server.pid, _SERVERS)
            yield [
                Contest(
                    "poll, 200",
                    (service, [one.ask() for one in made]),
                    (bare, [one.ask(under="/poll") for one in made]),
                ),
                Contest(
                    "poll, 304",
                    (service, [one.ask(tag=tag) for one in made]),
                    (bare, [one.ask(under="/unchanged", tag=tag) for one in made]),
                ),
            ]


async def _answer(service: Server, ticket: Ticket) -> bytes:
    answers: dict[int, bytes] = {}
    await load.drive(service.port, [ticket.ask()], connections=1, answers=answers)
    return answers[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.poll", description=__doc__)
    parser.add_argument("--tickets", type=int, default=1000, help="tickets that are polled in turn (1000)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--seconds", type=float, default=0.4, help="duration of the load on each server in a round (0.4)"
    )
    asyncio.run(main(**vars(parser.parse_args())))
