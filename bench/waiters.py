"""Measures the memory of a waiting browser, and its latency while thousands wait: `python -m bench.waiters`.

Memory is the growth of the processes, and of the kernel, per stream. Latency is the time from sending WeChat's
push, through the commit, until the browser has read the event. This process does both ends with one clock. The
baselines, bare aiohttp handlers and nginx with nchan, pass the body of a push to a stream and store nothing.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from bench import figures, fixtures, load, nchan, processes
from bench.browsers import NEVER, Browser, Crowd
from bench.fixtures import Ticket
from bench.result import Result
from bench.server import Server, kernel_memory

_WORD: Final = b'"bound"'
_FIRST: Final = 0.2
"""The share of streams that is opened before memory is measured, to fill the free parts of the heap."""
_SETTLE: Final = 1.0
_KIB: Final = 1024
_TIMEOUT: Final = 10.0
_SHARES: Final = (0.50, 0.95, 0.99, 1.0)
_MORE: Final = 1000
"""Connections and files beside those of the streams."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The streams to open at a server, and the pushes to send: to which stream, and the request."""

    streams: Sequence[bytes]
    pushes: Sequence[tuple[int, bytes]]
    rate: float
    """Pushes a second."""


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements of one server."""

    user: float
    """Bytes of its processes per stream."""
    kernel: float
    """Bytes of the kernel per stream, with both ends of its connection."""
    opening: float
    """Seconds to open all streams."""
    latencies: list[float]
    """Seconds from push to browser, of the pushes that arrived."""

    def delay(self, share: float) -> float:
        return figures.quantile(self.latencies, share)


async def main(*, waiters: int, pushes: int, rate: float) -> None:
    """Open the streams and push scans at a steady rate, at the service and at each baseline; print all."""
    pushes = min(pushes, waiters)
    processes.allow_files(waiters + _MORE)
    found: dict[str, Found] = {}
    with processes.folder() as place:
        async with processes.wechat(place, people=pushes) as wechat:
            # Another process creates the tickets, so that the measured one starts with a fresh heap.
            async with processes.service(place, wechat=wechat) as service:
                tickets = await fixtures.tickets(service, waiters)
            chosen = range(0, waiters, waiters // pushes)[:pushes]
            async with processes.service(place, wechat=wechat) as service:
                found["service"] = await _measure(service, _scans(tickets, chosen, rate))
            async with processes.bare(place) as bare:
                found["bare aiohttp"] = await _measure(bare, _notices(tickets, chosen, rate))
            if lacking := nchan.missing():
                print(f"nchan: skipped, {lacking}")
            else:
                async with nchan.nchan(place, connections=waiters + _MORE) as nginx:
                    found["nchan"] = await _measure(nginx, _notices(tickets, chosen, rate))
    print(f"\n{waiters} waiting streams; {pushes} pushes, {rate:g} a second, spread over them\n")
    _report(found)
    _result(found).print()


def _scans(tickets: Sequence[Ticket], chosen: Sequence[int], rate: float) -> Plan:
    return Plan(
        [ticket.follow(f"/v1/tickets/{ticket.id}/events") for ticket in tickets],
        [(number, fixtures.scan(tickets[number], person)) for person, number in enumerate(chosen)],
        rate,
    )


def _notices(tickets: Sequence[Ticket], chosen: Sequence[int], rate: float) -> Plan:
    return Plan(
        [ticket.follow(f"/wait/{ticket.id}") for ticket in tickets],
        [(number, load.request("POST", f"/notify/{tickets[number].id}", body=_WORD)) for number in chosen],
        rate,
    )


async def _measure(server: Server, plan: Plan) -> Found:
    crowd = Crowd()
    try:
        before, first = perf_counter(), int(len(plan.streams) * _FIRST)
        await crowd.enter(server.port, plan.streams[:first], word=_WORD)
        some = await _memory(server)
        await crowd.enter(server.port, plan.streams[first:], word=_WORD)
        opening = perf_counter() - before - _SETTLE
        user, kernel = (
            (later - earlier) / (len(plan.streams) - first)
            for earlier, later in zip(some, await _memory(server), strict=True)
        )
        return Found(user, kernel, opening, await _push(server, plan, crowd.browsers))
    finally:
        crowd.leave()


async def _memory(server: Server) -> tuple[int, int]:
    await asyncio.sleep(_SETTLE)
    return server.memory(), kernel_memory()


async def _push(server: Server, plan: Plan, browsers: Sequence[Browser]) -> list[float]:
    """Send the pushes at their rate; return the seconds until the browser of each was notified, if it was."""
    began = perf_counter()

    async def one(place: int, number: int, push: bytes) -> float:
        await asyncio.sleep(max(0.0, began + place / plan.rate - perf_counter()))
        sent = perf_counter()
        await load.drive(server.port, [push], connections=1)
        await asyncio.wait([browsers[number].notified], timeout=_TIMEOUT)
        return browsers[number].notified_at - sent

    pushed = await asyncio.gather(*(one(place, *push) for place, push in enumerate(plan.pushes)))
    return [seconds for seconds in pushed if seconds < NEVER]


def _report(found: Mapping[str, Found]) -> None:
    head = ("", "KiB each", "kernel KiB", "s to open all", "received", "p50 ms", "p95 ms", "p99 ms", "max ms")
    rows = [
        (
            name,
            f"{one.user / _KIB:.1f}",
            f"{one.kernel / _KIB:.1f}",
            f"{one.opening:.1f}",
            f"{len(one.latencies)}",
            *(figures.milliseconds(one.latencies, share) for share in _SHARES),
        )
        for name, one in found.items()
    ]
    print(figures.table(head, *rows))
    print("KiB each: PSS of the server's processes; kernel KiB: SUnreclaim and TCP memory, of both ends")


def _result(found: Mapping[str, Found]) -> Result:
    result = Result("waiters")
    (_, ours), *others = found.items()
    for name, one in found.items():
        delays = {"push, p50 ms": one.delay(0.50) * 1000, "push, p99 ms": one.delay(0.99) * 1000}
        result.add(name, {"memory, bytes": one.user, "kernel, bytes": one.kernel, **delays})
    for name, one in others:
        memory, push = one.user / ours.user, one.delay(0.5) / ours.delay(0.5)
        result.add("waiting", {}, {f"memory, {name}/service": [memory], f"push, {name}/service": [push]})
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.waiters", description=__doc__)
    parser.add_argument("--waiters", type=int, default=5000)
    parser.add_argument("--pushes", type=int, default=300)
    parser.add_argument("--rate", type=float, default=30.0, help="pushes a second (30)")
    asyncio.run(main(**vars(parser.parse_args())))
