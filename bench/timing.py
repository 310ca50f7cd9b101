"""Measures whether the time of a refusal reveals its reason: `python -m bench.timing`.

Two refusals that must be indistinguishable are made in turn, in this process, without stores and network: the best
case for an attacker. The ratio of their medians is the difference, and its spread over the rounds is the noise.
"""

import argparse
import base64
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product, repeat
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from joserfc.jwk import OctKey

from bench import figures
from bench.result import Result
from handlers.http import authentication
from models.errors import ServiceError
from models.method import Method
from models.scene import ALPHABET, NONCE_LENGTH, Kind, make
from models.ticket import TicketId
from service import app_keys
from service.config.settings import validate
from service.crypto.client_secrets import ClientSecrets
from service.crypto.keyring import Keyring
from service.crypto.sealing import KEY_BYTES, Opened, SealingKeys

_SECRET: Final = "s" * 32
_BODY: Final = web.RequestKey("body", bytes)

Refusal = Callable[[], web.Request]
"""Creates a request that will be refused."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two refusals that must be indistinguishable, and the check that refuses them."""

    name: str
    check: Callable[[web.Request], Coroutine[Any, Any, object]]
    one: Refusal
    other: Refusal


def pairs() -> list[Pair]:
    """Return the refusals to compare: unknown against wrong, for tickets and for clients."""
    app = _app()
    ring = app[app_keys.KEYRING]
    known, unknown = _ticket(ring), TicketId("A" * 7 + "x" * 32)
    right = ring.newest("shop").secret(known)
    wrong = right[:-1] + ("A" if right[-1] != "A" else "B")
    early = right[:4] + ("A" if right[4] != "A" else "B") + right[5:]
    return [
        Pair(
            "unknown ticket / wrong secret",
            authentication.require_ticket_secret,
            _poll(app, unknown, wrong),
            _poll(app, known, wrong),
        ),
        Pair(
            "never seen ticket / wrong secret",
            authentication.require_ticket_secret,
            _polls(app, (f"{unknown[:-3]}{''.join(end)}" for end in product(ALPHABET, repeat=3)), wrong),
            _polls(app, repeat(known), wrong),
        ),
        Pair(
            "wrong at once / at the end",
            authentication.require_ticket_secret,
            _poll(app, known, early),
            _poll(app, known, wrong),
        ),
        Pair(
            "unknown client / wrong password",
            authentication.require_client,
            _basic(app, "nobo"),
            _basic(app, "shop"),
        ),
        Pair("unknown client / wrong sealing key", _open_sealed, _sealed(app, "nobo"), _sealed(app, "shop")),
        Pair("client without / with a sealing key", _open_sealed, _sealed(app, "club"), _sealed(app, "shop")),
    ]


def ratios(pair: Pair, *, samples: int, rounds: int) -> list[float]:
    """Return, per round, the median time of one refusal divided by that of the other."""
    _medians(pair, samples // 4)  # warm-up
    measured = [_medians(pair, samples) for _ in range(rounds)]
    return [one / other for one, other in measured]


def _medians(pair: Pair, samples: int) -> tuple[float, float]:
    taken: tuple[list[int], list[int]] = ([], [])
    for _ in range(samples):
        for times, refusal in zip(taken, (pair.one, pair.other), strict=True):
            times.append(_time(pair.check, refusal()))
    return statistics.median(taken[0]), statistics.median(taken[1])


def _time(check: Callable[[web.Request], Coroutine[Any, Any, object]], request: web.Request) -> int:
    began = time.perf_counter_ns()
    with suppress(ServiceError):
        check(request).send(None)  # it never suspends
        raise AssertionError("the request was not refused")
    return time.perf_counter_ns() - began


def _app() -> web.Application:
    client = {"name": "Shop", "secret": _SECRET, "accounts": ["main"], "origins": ["https://shop.example"]}
    account = {"appid": "wx0123456789abcdef", "secret": "5" * 32, "token": "token", "aes_key": "a" * 43}
    clients = {"shop": {**client, "sealing_key": "A" * 43}, "club": client}
    app = web.Application()
    app[app_keys.SETTINGS] = validate({"accounts": {"main": account}, "clients": clients})
    app[app_keys.CLIENT_SECRETS] = ClientSecrets(app[app_keys.SETTINGS].clients)
    app[app_keys.SEALING_KEYS] = SealingKeys(app[app_keys.SETTINGS].clients)
    app[app_keys.KEYRING] = Keyring.derive(("k" * 40,), ["shop"])
    app[app_keys.CLOCK] = lambda: datetime.now(UTC)
    return app


def _ticket(ring: Keyring) -> TicketId:
    return make(
        method=Method.SCAN,
        kind=Kind.LOGIN_PAGE,
        lang=None,
        expires_at=datetime.now(UTC) + timedelta(days=1),
        nonce="n" * NONCE_LENGTH,
        client="shop",
        account="main",
        key=ring.newest("shop").scene,
    ).head.ticket


def _poll(app: web.Application, ticket: str, secret: str) -> Refusal:
    request = _request(app, ticket, secret)
    return lambda: request


def _polls(app: web.Application, tickets: Iterator[str], secret: str) -> Refusal:
    """Return requests for one ticket after another."""
    return lambda: _request(app, next(tickets), secret)


def _request(app: web.Application, ticket: str, secret: str) -> web.Request:
    headers, path = {"Authorization": f"Bearer {secret}"}, f"/v1/tickets/{ticket}"
    return make_mocked_request("GET", path, headers=headers, app=app, match_info={"ticket": ticket})


def _basic(app: web.Application, client: str) -> Refusal:
    pair = base64.b64encode(f"{client}:{_SECRET[:-1]}x".encode()).decode()
    request = make_mocked_request("POST", "/v1/exchange", headers={"Authorization": f"Basic {pair}"}, app=app)
    return lambda: request


async def _open_sealed(request: web.Request) -> object:
    return authentication.open_sealed(request, request[_BODY])


def _sealed(app: web.Application, client: str) -> Refusal:
    request = make_mocked_request("POST", "/v1/sealed", app=app)
    by_another = Opened(client, b"", OctKey.import_key(b"x" * KEY_BYTES))
    request[_BODY] = by_another.seal(b"{}" * 100).encode()
    return lambda: request


def main(*, samples: int, rounds: int) -> None:
    found = Result("timing")
    rows = []
    for pair in pairs():
        measured = ratios(pair, samples=samples, rounds=rounds)
        found.add(pair.name, {"ratio of medians": statistics.median(measured)})
        rows.append((pair.name, figures.median(measured), figures.rounds(measured)))
    print(f"\n{rounds} rounds of {samples} refusals of each kind, in turn\n")
    print(figures.table(("", "ratio of medians", "by round"), *rows))
    found.print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000, help="refusals of each kind in a round (1000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    arguments = parser.parse_args()
    main(samples=arguments.samples, rounds=arguments.rounds)
