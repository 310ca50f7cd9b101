"""Measures the processor time of a login whose page waits for the scan: `python -m bench.login`.

One service has pages that follow their tickets by event streams, another at the same time pages that poll each
second; beside them bare handlers keep the same streams and answer the same polls. The people are bound: each login
ends with a code, which is exchanged.
"""

import argparse
import asyncio
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from bench import figures, fixtures, pages, processes
from bench.fixtures import Ticket
from bench.pages import Ask
from bench.result import Result
from bench.server import Server

_PATIENCE: Final = 60.0
"""Seconds until the last page has learned the end of its login."""
Page = Callable[[int, Ask], Awaitable[None]]


class Costs(NamedTuple):
    """Milliseconds of processor time of each part of a login."""

    create: float
    wait: float
    scan: float
    exchange: float

    @property
    def login(self) -> float:
        return sum(self)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to wait: what a page does, and its paths at the service and at the bare handlers."""

    page: Page
    service: Mapping[str, str]
    bare: Mapping[str, str]


_WAYS: Final = {
    "event stream": Way(pages.stream, {"suffix": "/events"}, {"under": "/wait"}),
    "polls": Way(pages.poll, {}, {"under": "/unchanged"}),
}


async def main(*, tickets: int, wait: float, rounds: int) -> None:
    """Log in by both ways at once; print the processor time of each part of a login, and ratios."""
    ours: dict[str, list[Costs]] = {name: [] for name in _WAYS}
    bare: dict[str, list[float]] = {name: [] for name in _WAYS}
    for _ in range(rounds):
        with processes.folder() as place:
            async with processes.wechat(place, people=tickets) as wechat, asyncio.TaskGroup() as group:
                tasks = {
                    name: (
                        group.create_task(_service(place / name, way, wechat=wechat, count=tickets, wait=wait)),
                        group.create_task(_bare(place / f"bare {name}", way, count=tickets, wait=wait)),
                    )
                    for name, way in _WAYS.items()
                }
                for name, (at_service, at_bare) in tasks.items():
                    ours[name].append(await at_service)
                    bare[name].append(await at_bare)
    print(f"\n{tickets} logins at once, each waits {wait:g} s; ms of processor time for one login\n")
    _report(ours, bare)


async def _service(place: Path, way: Way, *, wechat: Server, count: int, wait: float) -> Costs:
    """Log in *count* people; return what each part of one login cost."""
    async with processes.service(place, wechat=wechat) as service:
        await fixtures.scanned(service, await fixtures.tickets(service, count), range(count))
        used = [await service.settled()]
        logins = await fixtures.logins(service, count)
        used.append(await service.settled())
        asks = [partial(login.ask, **way.service) for login in logins]
        async with _waiting(service, way.page, asks) as waiting:
            await asyncio.sleep(wait)
            used.append(service.cpu())
            await fixtures.scanned(service, logins, range(count), known=True)
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*waiting)
        used.append(await service.settled())
        codes = await fixtures.codes(service, logins)
        unused = await service.settled() - used[-1]  # a page has the code already
        await fixtures.answers(service, map(fixtures.exchange, codes))
        used.append(await service.settled() - unused)
    return Costs(*((later - earlier) * 1000 / count for earlier, later in pairwise(used)))


async def _bare(place: Path, way: Way, *, count: int, wait: float) -> float:
    """Return the milliseconds of processor time of one waiting page."""
    tickets = [Ticket(f"{number:043}", "s" * 43, "") for number in range(count)]
    async with processes.bare(place) as server:
        before = await server.settled()
        async with _waiting(server, way.page, [partial(ticket.ask, **way.bare) for ticket in tickets]):
            await asyncio.sleep(wait)
            return (server.cpu() - before) * 1000 / count


@asynccontextmanager
async def _waiting(server: Server, page: Page, asks: Sequence[Ask]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Open a page for each of *asks*, spread over a second, and close them at the end."""

    async def opened(number: int) -> None:
        await asyncio.sleep(number / len(asks))
        await page(server.port, asks[number])

    tasks = [asyncio.create_task(opened(number)) for number in range(len(asks))]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(ours: Mapping[str, Sequence[Costs]], bare: Mapping[str, Sequence[float]]) -> None:
    found = Result("login")
    rows = []
    for name, costs in ours.items():
        median, bare_wait = Costs(*map(statistics.median, zip(*costs, strict=True))), statistics.median(bare[name])
        rows.append((name, *(f"{part:.2f}" for part in (*median, median.login))))
        rows.append((f"{name}, bare aiohttp", "", f"{bare_wait:.2f}", "", "", ""))
        figure = {f"{part}, CPU ms": value for part, value in (median._asdict() | {"login": median.login}).items()}
        shares = [theirs / one.wait for one, theirs in zip(costs, bare[name], strict=True)]
        found.add(
            name, figure | {"wait at bare aiohttp, CPU ms": bare_wait}, {"wait, CPU, bare aiohttp/service": shares}
        )
    print(figures.table(("", *Costs._fields, "login"), *rows))
    pairs = list(zip(*ours.values(), strict=True))
    wait = statistics.median(stream.wait / poll.wait for stream, poll in pairs)
    login = statistics.median(stream.login / poll.login for stream, poll in pairs)
    print(f"\nby event stream / by polls: wait {wait:.2f}, login {login:.2f}")
    found.add("event stream / polls", {"wait": wait, "login": login})
    found.print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.login", description=__doc__)
    parser.add_argument("--tickets", type=int, default=200, help="logins at once (200)")
    parser.add_argument("--wait", type=float, default=20.0, help="seconds until the scan (20)")
    parser.add_argument("--rounds", type=int, default=1)
    asyncio.run(main(**vars(parser.parse_args())))
