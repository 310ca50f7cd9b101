"""Attacks on CORS: a page reads responses only from an origin that a client lists."""

import random
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from aiohttp import ClientResponse
from harness import ORIGIN, World, client
from portal_client import CLUB, Visit, visit

from handlers.routes import ROUTES

PATTERNS: Final = [(route.method, re.sub(r"{(\w+):[^}]*}", r"{\1}", route.path)) for route in ROUTES]
CROSS_ORIGIN: Final = {
    "/v1/tickets",
    "/v1/tickets/{ticket}",
    "/v1/tickets/{ticket}/events",
    "/v1/tickets/{ticket}/code",
    "/v1/portal-sessions/{session}",
    "/v1/portal-sessions/{session}/open",
    "/v1/portal-sessions/{session}/tickets",
    "/v1/portal-sessions/{session}/bindings/{account}",
}
"""What pages of listed origins may call, by the contract; scripts are for every page."""
CONFIGURED: Final = (ORIGIN, CLUB, "http://localhost:3000", "https://xn--fiqs8s.example")
_HOST: Final = "shop.example"
ODD: Final = (
    "null", "NULL", "*", "", " ", "undefined", "file://", "about:blank", "data:text/html,x", "chrome-extension://abc",
    _HOST, f"//{_HOST}", f"https:{_HOST}", f"https:/{_HOST}", f"https:///{_HOST}", f"https://{_HOST}.",
    f"https://{_HOST}.evil.example", f"https://{_HOST}evil.example", f"https://evil{_HOST}",
    f"https://evil.{_HOST}", f"https://evil.example/{ORIGIN}", f"https://evil.example?{ORIGIN}",
    f"https://evil.example#{ORIGIN}", f"https://evil.example@{_HOST}", f"https://{_HOST}@evil.example",
    f"https://a:b@{_HOST}", f"http://{_HOST}", f"HTTPS://{_HOST}", "https://SHOP.EXAMPLE", "https://Shop.example",
    f"{ORIGIN}/", f"{ORIGIN}:443", f"{ORIGIN}:80", f"{ORIGIN}:", f"{ORIGIN}:0443", f"{ORIGIN}:8443", f"{ORIGIN}?",
    f"{ORIGIN}#", f"{ORIGIN}\\", f"{ORIGIN}%00", f"{ORIGIN}%2eevil.example", f"{ORIGIN}`", f"{ORIGIN}_",
    f"{ORIGIN},https://evil.example", f"{ORIGIN} https://evil.example", f"https://evil.example {ORIGIN}",
    f"{ORIGIN}, {CLUB}", f"{ORIGIN} {CLUB}", f"{ORIGIN}\tx", f"({ORIGIN})", f'"{ORIGIN}"', f"<{ORIGIN}>", "https://.*",
    "https://shop.exampl\u00e9", "https://shop\u3002example", "https://sh\u043ep.example", "https://shop.example\u200b",
    "https://\u4e2d\u56fd.example", "https://XN--FIQS8S.example", "http://localhost", "http://localhost:30000",
    "http://localhost:3000.evil.example", "http://127.0.0.1:3000", "http://[::1]:3000", "wss://shop.example",
    "https://" + "a" * 4000,
)  # fmt: skip


@pytest.fixture
async def two(make: Any) -> World:
    """A world of two clients without limits, since all requests come from one address."""
    started: World = await make(
        clients={
            "shop": client("shop", origins=[ORIGIN, *CONFIGURED[2:]]),
            "club": client("club", origins=[CLUB]),
        },
        limits={"tickets_per_address": 0, "tickets_per_client": 0},
    )
    return started


def similar(times: int) -> Iterator[str]:
    """Give origins that differ from a configured one in one character or two; always the same ones."""
    dice = random.Random(20027)
    for _ in range(times):
        text = list(dice.choice(CONFIGURED))
        for _ in range(dice.choice((1, 2))):
            at, by = dice.randrange(len(text)), dice.choice("ae.:/@-_%s0123456789 ?#*\\,;\u00e9")
            text[at : at + dice.choice((0, 1))] = dice.choice(([by], []))
        if "".join(text).strip() not in CONFIGURED:
            yield "".join(text)


def doors(here: Visit, ticket: str) -> list[tuple[str, str]]:
    """Return every door that pages of other origins may call, each with its method."""
    values = {"ticket": ticket, "session": here.id, "account": "main"}
    return [
        (method, re.sub(r"{(\w+)}", lambda named: values[named[1]], pattern))
        for method, pattern in PATTERNS
        if pattern in CROSS_ORIGIN
    ]


def reader(response: ClientResponse) -> str | None:
    """Return who may read *response*; check that caches keep it apart and that no cookie is asked for."""
    named = response.headers.getall("Access-Control-Allow-Origin", [])
    varies = {one.strip() for line in response.headers.getall("Vary", ()) for one in line.split(",")}
    assert "Origin" in varies
    assert not any(name.lower() == "access-control-allow-credentials" for name in response.headers)
    assert len(named) <= 1
    return named[0] if named else None


async def test_no_unlisted_origin_may_read_any_endpoint(two: World) -> None:
    """Red when `_reader` returns what the request says, or compares beginnings, ends, or in lower case."""
    here, page = await visit(two), await two.bind("42")
    proofs = ({}, page.bearer, {"Authorization": f"Bearer {here.secret}"})
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    every = doors(here, page.id)
    assert {pattern for _, pattern in PATTERNS} >= CROSS_ORIGIN
    for number, origin in enumerate((*ODD, *similar(200))):
        for method, path in every if origin in ODD else (every[number % len(every)],):
            if (method, path.rpartition("/")[2]) == ("GET", "events"):
                continue  # it is the same door as the ticket's, and holds a stream open
            proof = {} if method == "DELETE" else proofs[number % len(proofs)]  # or there is nothing left to read
            headers = {"Origin": origin, **proof, **asked}
            response = await two.call(method, path, headers=headers)
            assert reader(response) is None, (origin, method, path)
            assert "Access-Control-Allow-Methods" not in response.headers


async def test_what_is_named_is_the_configured_origin_and_no_other(two: World) -> None:
    """Red when the answer names every listed origin, or always the first one."""
    page, here = await two.bind("42"), await visit(two)
    own = {ORIGIN, *CONFIGURED[2:]}
    for origin in CONFIGURED:
        for method, path in doors(here, "unknown"):
            response = await two.call(method, path, headers={"Origin": origin})
            assert reader(response) == origin, (method, path)
        state = await page.raw(Origin=origin)
        assert reader(state) == (origin if origin in own else None)
        view = await here.call(headers={"Authorization": f"Bearer {here.secret}", "Origin": origin})
        assert reader(view) == (origin if origin in own else None)


async def test_of_two_origins_in_one_request_none_that_is_not_listed_is_named(two: World) -> None:
    """Red when `_reader` names what was sent."""
    for pair in ((ORIGIN, "https://evil.example"), ("https://evil.example", ORIGIN), ("null", CLUB)):
        response = await two.call("GET", "/v1/tickets/x", headers=[("Origin", one) for one in pair])
        assert reader(response) in {None, *CONFIGURED}
