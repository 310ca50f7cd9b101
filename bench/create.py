"""Measures how long a new ticket takes beyond WeChat's own latency: `python -m bench.create`.

The baseline is a bare handler that makes the same request to the same emulated WeChat. Only one request is in
progress at a time, so that latencies contain no queue.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from bench import figures, fixtures, processes, turns
from bench.result import Result
from bench.turns import Rounds, Turn

_USERS: Final[Iterator[int]] = count()
_KINDS: Final[dict[str, Callable[[], bytes]]] = {
    "login by page": fixtures.login_by_page,
    "login by back end": fixtures.login_by_back_end,
    "bind": lambda: fixtures.bind(f"user-{next(_USERS)}"),
}
_SHARES: Final = {"p50": 0.50, "p99": 0.99}


async def main(*, tickets: int, rounds: int) -> None:
    """Create tickets of each kind, in turn with direct calls; print latencies, their differences and ratios."""
    measured: dict[str, dict[str, list[Turn]]] = {kind: {"service": [], "direct call": []} for kind in _KINDS}
    with processes.folder() as place:
        async with (
            processes.wechat(place, people=0) as wechat,
            processes.service(place, wechat=wechat) as service,
            processes.direct_call(place, wechat=wechat) as direct,
        ):
            for number in range(rounds + 1):
                for kind, order in _KINDS.items():
                    for name, server in (("service", service), ("direct call", direct)):
                        turn = await turns.turn(server, [order() for _ in range(tickets)], connections=1)
                        if number:  # the first round is the warm-up
                            measured[kind][name].append(turn)
    print(f"\n{rounds} rounds of {tickets} tickets of each kind; medians of the rounds")
    found = Result("create")
    for kind, one in measured.items():
        beyond = _beyond(one)
        print(f"\n{kind}\n\n{turns.table(one)}")
        print("beyond WeChat: " + ", ".join(f"{name} {value:+.2f}" for name, value in beyond.items()))
        found.add(kind, turns.summary(one) | {f"beyond WeChat, {name}": value for name, value in beyond.items()})
        found.add(kind, {}, turns.ratios(one))
    found.print()


def _beyond(measured: Rounds) -> dict[str, float]:
    """Return by how many milliseconds the service's quantiles exceed those of the direct call."""
    ours, theirs = map(turns.latencies, measured.values())
    return {
        f"{name} ms": (figures.quantile(ours, share) - figures.quantile(theirs, share)) * 1000
        for name, share in _SHARES.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.create", description=__doc__)
    parser.add_argument("--tickets", type=int, default=100, help="tickets of each kind in a round (100)")
    parser.add_argument("--rounds", type=int, default=4)
    asyncio.run(main(**vars(parser.parse_args())))
