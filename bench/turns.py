"""Servers that take turns under the same load: rates, latencies, processor time, and the ratios of each round."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import figures, load
from bench.load import Load
from bench.server import Server


@dataclass(frozen=True, slots=True)
class Turn:
    """What the load measured, and the seconds of processor time until all of its work was done."""

    load: Load
    cpu: float

    @property
    def each(self) -> float:
        """Milliseconds of processor time for each request."""
        return self.cpu * 1000 / len(self.load.latencies)


Rounds = Mapping[str, Sequence[Turn]]
"""By server, its turn of each round. The first server is measured, the others are its baselines."""


async def turn(server: Server, requests: Sequence[bytes], *, connections: int) -> Turn:
    """Send *requests* and wait until the server is idle again."""
    before = server.cpu()
    measured = await load.drive(server.port, requests, connections=connections)
    return Turn(measured, await server.settled() - before)


def table(measured: Rounds) -> str:
    """Return the figures of each server, and the ratios of the first to the others by round."""
    head = ("", "requests/s", "p50 ms", "p99 ms", "max ms", "CPU ms each", "statuses")
    rows = [
        (
            name,
            figures.median([one.load.rate for one in turns], digits=0),
            *(figures.milliseconds(latencies(turns), share) for share in (0.50, 0.99, 1.0)),
            figures.median([one.each for one in turns]),
            " ".join(sorted({status for one in turns for status in one.load.statuses})),
        )
        for name, turns in measured.items()
    ]
    lines = [f"{name} by round: {figures.rounds(values, digits=3)}" for name, values in ratios(measured).items()]
    return "\n".join([figures.table(head, *rows), "", *lines])


def summary(measured: Rounds) -> dict[str, float]:
    """Return the figures of each server by their names."""
    return {
        f"{name}, {figure}": value
        for name, turns in measured.items()
        for figure, value in (
            ("requests/s", statistics.median(one.load.rate for one in turns)),
            ("p50 ms", figures.quantile(latencies(turns), 0.50) * 1000),
            ("p99 ms", figures.quantile(latencies(turns), 0.99) * 1000),
            ("CPU ms", statistics.median(one.each for one in turns)),
        )
    }


def ratios(measured: Rounds) -> dict[str, list[float]]:
    """Return, by name, a value for each round: the share of a baseline's speed that the first server reaches."""
    (first, ours), *others = measured.items()
    found = {}
    for name, theirs in others:
        pairs = list(zip(ours, theirs, strict=True))
        found[f"rate, {first}/{name}"] = [one.load.rate / other.load.rate for one, other in pairs]
        found[f"CPU, {name}/{first}"] = [other.each / one.each for one, other in pairs]
    return found


def latencies(turns: Sequence[Turn]) -> list[float]:
    """Return the latencies of all turns, in seconds."""
    return [latency for one in turns for latency in one.load.latencies]
