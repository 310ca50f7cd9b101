"""The benches run from their command line, print a table, and end with their figures and ratios in JSON.

Red when a bench prints no last line, leaves out a figure, or one that cannot be.
"""

from typing import Final

import pytest
from benches import run

RUNS: Final = {
    "poll": ["--tickets", "5", "--rounds", "2", "--seconds", "0.2"],
    "callback": ["--scans", "4", "--rounds", "2", "--connections", "2", "--database", "sqlite"],
    "login": ["--tickets", "3", "--wait", "2", "--rounds", "1"],
    "create": ["--tickets", "4", "--rounds", "1"],
    "scale": ["--bindings", "10,500", "--scans", "4", "--rounds", "1"],
    "timing": ["--samples", "20", "--rounds", "1"],
    "waiters": ["--waiters", "200", "--pushes", "5"],
    "webhooks": ["--scans", "4", "--rounds", "2", "--connections", "2", "--pause", "1", "--database", "sqlite"],
}
RATIOS: Final[dict[str, set[str]]] = {
    "poll": {
        f"poll, {status}: {ratio}"
        for status in (200, 304)
        for ratio in ("rate, service/bare aiohttp", "CPU, bare aiohttp/service")
    },
    "callback": {
        "sqlite: rate, service/minimal program",
        "sqlite: CPU, minimal program/service",
        "sqlite: rate, service/bare aiohttp",
        "sqlite: CPU, bare aiohttp/service",
    },
    "login": {f"{way}: wait, CPU, bare aiohttp/service" for way in ("event stream", "polls")},
    "create": {
        f"{kind}: {ratio}"
        for kind in ("login by page", "login by back end", "bind")
        for ratio in ("rate, service/direct call", "CPU, direct call/service")
    },
    "scale": {f"sqlite, {kind}: rate, 500 bindings/10 bindings" for kind in ("poll", "scan", "exchange")},
    "timing": set(),
    "waiters": {"waiting: memory, bare aiohttp/service", "waiting: push, bare aiohttp/service"},
    "webhooks": {
        f"sqlite, {kind}: {ratio}"
        for kind in ("one by one", "at once")
        for ratio in ("rate, with/without", "CPU, without/with", "p50, without/with")
    },
}
FIGURES: Final = {
    "poll": {"poll, 200: service, requests/s"},
    "callback": {"sqlite: service, CPU ms", "sqlite: minimal program, p99 ms"},
    "login": {"event stream: login, CPU ms", "polls: login, CPU ms", "event stream / polls: wait"},
    "create": {"bind: service, p99 ms", "bind: service, CPU ms", "bind: direct call, p50 ms"},
    "scale": {"sqlite, exchange: 500 bindings, p99 ms", "sqlite, poll: 10 bindings, CPU ms"},
    "timing": {"unknown client / wrong password: ratio of medians"},
    "waiters": {"service: memory, bytes", "service: push, p50 ms", "bare aiohttp: push, p99 ms"},
    "webhooks": {"sqlite: delivered", "sqlite, at once: with, p99 ms", "sqlite, one by one: without, CPU ms"},
}


@pytest.mark.parametrize("name", RUNS)
async def test_a_bench_prints_its_figures_and_a_ratio_for_each_round(name: str) -> None:
    line = await run(name, *RUNS[name])
    assert line["bench"] == name
    assert {"cpu", "cores", "memory", "kernel"} == line["machine"].keys()
    assert {"python", "aiohttp", "redis", "SQLAlchemy", "valkey", "database"} == line["versions"].keys()
    assert all(line["figures"][figure] > 0 for figure in FIGURES[name]), line["figures"]
    options = dict(zip(RUNS[name][::2], RUNS[name][1::2], strict=True))
    rounds = int(options.get("--rounds", 1))
    for ratio in RATIOS[name]:
        values = line["ratios"][ratio]
        assert len(values) == rounds
        assert min(values) > 0
