"""Measures the memory of a waiting browser, and its latency while thousands wait: `python -m bench.waiters`.

Memory is the growth of the process per stream; the baseline is a handler that opens a stream and awaits a future.
Latency is the time from sending WeChat's push, through the commit, until the browser has read the event; the
baseline is a handler that writes the body of a push to a stream. This process does both ends with one clock.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from bench import figures, fixtures, load, processes
from bench.browsers import NEVER, Browser, Crowd
from bench.fixtures import Ticket
from bench.server import Server

_WORD: Final = b'"bound"'
_FIRST: Final = 0.2
"""The share of streams that is opened before memory is measured, to fill the free parts of the heap."""
_SETTLE: Final = 1.0
_KIB: Final = 1024
_TIMEOUT: Final = 10.0
_SHARES: Final = (0.50, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements of one server."""

    memory: float
    """Bytes per stream."""
    opening: float
    """Seconds to open all streams."""
    latencies: list[float]
    """Seconds from push to browser, of the pushes that arrived."""


async def main(*, waiters: int, pushes: int, rate: float) -> None:
    """Open the streams and push scans at a steady rate, at the service and at bare handlers; print both."""
    pushes = min(pushes, waiters)
    processes.allow_files(waiters + pushes + 1000)
    with processes.folder() as place:
        async with processes.wechat(place, people=pushes) as wechat:
            # Another process creates the tickets, so that the measured one starts with a fresh heap.
            async with processes.service(place, wechat=wechat) as service:
                tickets = await fixtures.tickets(service, waiters)
            bare = await _bare(place, tickets, pushes=pushes, rate=rate)
            async with processes.service(place, wechat=wechat) as service:
                ours = await _ours(service, tickets, pushes=pushes, rate=rate)
    print(f"\n{waiters} waiting streams; {pushes} pushes, {rate:g} a second, spread over them\n")
    print(_report(ours, bare))


async def _ours(service: Server, tickets: Sequence[Ticket], *, pushes: int, rate: float) -> Found:
    with _crowd() as crowd:
        memory, opening = await _fill(service, crowd, [ticket.ask(suffix="/events") for ticket in tickets])
        chosen = range(0, len(tickets), len(tickets) // pushes)[:pushes]
        scans = [fixtures.scan(tickets[number], person) for person, number in enumerate(chosen)]
        latencies = await _push(service, scans, [crowd.browsers[number] for number in chosen], rate=rate)
    return Found(memory, opening, latencies)


async def _bare(place: Path, tickets: Sequence[Ticket], *, pushes: int, rate: float) -> Found:
    async with processes.bare(place) as server:
        with _crowd() as crowd, _crowd() as notified:
            memory, opening = await _fill(server, crowd, [ticket.ask(under="/stream") for ticket in tickets])
            chosen = tickets[:pushes]
            await notified.enter(server.port, [ticket.ask(under="/wait") for ticket in chosen], word=_WORD)
            words = [load.request("POST", f"/notify/{ticket.id}", body=_WORD) for ticket in chosen]
            latencies = await _push(server, words, notified.browsers, rate=rate)
    return Found(memory, opening, latencies)


@contextmanager
def _crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    try:
        yield crowd
    finally:
        crowd.leave()


async def _fill(server: Server, crowd: Crowd, requests: Sequence[bytes]) -> tuple[float, float]:
    """Open a stream for each request; return the bytes per stream and the seconds for all."""
    began, first = perf_counter(), int(len(requests) * _FIRST)
    await crowd.enter(server.port, requests[:first], word=_WORD)
    before = await _settled(server)
    await crowd.enter(server.port, requests[first:], word=_WORD)
    seconds = perf_counter() - began - _SETTLE
    return (await _settled(server) - before) / (len(requests) - first), seconds


async def _settled(server: Server) -> int:
    await asyncio.sleep(_SETTLE)
    return server.memory()


async def _push(
    server: Server, requests: Sequence[bytes], browsers: Sequence[Browser], *, rate: float
) -> list[float]:
    """Send the requests at that rate; return the seconds until the browser of each was notified, if it was."""
    began = perf_counter()

    async def one(number: int) -> float:
        await asyncio.sleep(max(0.0, began + number / rate - perf_counter()))
        sent = perf_counter()
        await load.drive(server.port, [requests[number]], connections=1)
        await asyncio.wait([browsers[number].notified], timeout=_TIMEOUT)
        return browsers[number].notified_at - sent

    return [seconds for seconds in await asyncio.gather(*map(one, range(len(requests)))) if seconds < NEVER]


def _report(ours: Found, bare: Found) -> str:
    rows = [
        (
            server,
            f"{found.memory / _KIB:.1f}",
            f"{found.opening:.1f}",
            f"{len(found.latencies)}",
            *(figures.milliseconds(found.latencies, share) for share in _SHARES),
        )
        for server, found in (("service", ours), ("bare aiohttp", bare))
    ]
    more = ("service - bare", f"{(ours.memory - bare.memory) / _KIB:+.1f}", *[""] * 6)
    return figures.table(
        ("", "KiB each", "s to open all", "received", "p50 ms", "p95 ms", "p99 ms", "max ms"), *rows, more
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.waiters", description=__doc__)
    parser.add_argument("--waiters", type=int, default=5000)
    parser.add_argument("--pushes", type=int, default=300)
    parser.add_argument("--rate", type=float, default=30.0, help="pushes a second (30)")
    asyncio.run(main(**vars(parser.parse_args())))
