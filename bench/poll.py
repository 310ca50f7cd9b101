"""Measures the rate and latency of ticket polls on one process, against bare handlers: `python -m bench.poll`."""

import argparse
import asyncio
import os
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from bench import figures, fixtures, load, processes
from bench.fixtures import Ticket
from bench.load import Load
from bench.result import Result
from bench.server import Server

_SERVERS, _CLIENT = 0, 1
"""CPUs: the measured servers run on one, the load generator on the other."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The same requests for the service and for a bare handler."""

    name: str
    service: tuple[Server, Sequence[bytes]]
    bare: tuple[Server, Sequence[bytes]]

    async def round(self, seconds: float) -> tuple[Load, Load]:
        """Load one, then the other."""
        ours, theirs = [
            await load.drive(server.port, cycle(requests), seconds=seconds)
            for server, requests in (self.service, self.bare)
        ]
        return ours, theirs


async def main(*, tickets: int, rounds: int, seconds: float) -> None:
    """Poll pending tickets; print requests per second, latencies and ratios."""
    with processes.folder() as place:
        async with _contests(place, tickets) as contests:
            for contest in contests:
                await contest.round(seconds / 2)  # warm-up
            measured: dict[str, list[tuple[Load, Load]]] = {contest.name: [] for contest in contests}
            for _ in range(rounds):
                for contest in contests:
                    measured[contest.name].append(await contest.round(seconds))
    print(f"\n{tickets} pending tickets, 16 connections, {rounds} rounds of {seconds} s; medians of the rounds\n")
    print(_report(measured))
    for name, pairs in measured.items():
        print(f"\n{name}: service/bare by round: {figures.rounds(load.ratios(pairs))}", end="")
    print()
    found = Result("poll")
    for name, pairs in measured.items():
        ours, theirs = ([one.rate for one in loads] for loads in zip(*pairs, strict=True))
        rates = {
            "service, requests/s": statistics.median(ours),
            "bare aiohttp, requests/s": statistics.median(theirs),
        }
        found.add(name, rates, {"rate, service/bare aiohttp": load.ratios(pairs)})
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


def _report(measured: dict[str, list[tuple[Load, Load]]]) -> str:
    rows = []
    for name, pairs in measured.items():
        for server, loads in zip(("service", "bare aiohttp"), zip(*pairs, strict=True), strict=True):
            rows.append((name, server, *_row(loads)))
        rows.append((name, "service/bare", figures.median(load.ratios(pairs)), "", "", ""))
    return figures.table(("", "", "requests/s", "p50 ms", "p99 ms", "statuses"), *rows)


def _row(loads: Sequence[Load]) -> tuple[str, ...]:
    statuses = sorted({status for one in loads for status in one.statuses})
    return (
        figures.median([one.rate for one in loads], digits=0),
        figures.median([figures.quantile(one.latencies, 0.50) * 1000 for one in loads]),
        figures.median([figures.quantile(one.latencies, 0.99) * 1000 for one in loads]),
        " ".join(statuses),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.poll", description=__doc__)
    parser.add_argument("--tickets", type=int, default=1000, help="tickets that are polled in turn (1000)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--seconds", type=float, default=0.4, help="duration of the load on each server in a round (0.4)"
    )
    asyncio.run(main(**vars(parser.parse_args())))
