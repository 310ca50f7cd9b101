"""What callers send is not kept in memory: after junk in every field the process is as large as before."""

import gc
import io
import logging
import math
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import flood
import pytest
from aiohttp import ClientSession
from harness import ACCOUNT, ORIGIN, World, account, basic
from serving import Service, serving, wechat

from service.observability import logs

AT_A_DOOR = int(os.environ.get("MEMORY_JUNK", "0"))
"""Texts for each endpoint; `make prove-memory` sends 20,000."""
IN_A_BODY, IN_A_LINE = 150, 40
"""Texts for each place of an endpoint, at least; a third is long, of characters of four bytes.

That is 12 MB if a field of a body is kept. A header or path has 3,500 characters at most: the same one of every
endpoint adds up to as much.
"""
WARM = 30
ALLOWED = 16.0 if AT_A_DOOR else 8.0
"""MB that allocators and bounded caches may still take; 9 were seen after 700,000 requests, else 2 to 3."""
LONG = {"login_lifetime": 1800}

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, where Linux tells sizes"),
    pytest.mark.timeout(120 if not AT_A_DOOR else 3600),
]


def megabytes(pid: int) -> float:
    """Return how much memory a process holds (its resident set)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def _places(service: Service, http: ClientSession) -> list[flood.Place]:
    """Return every place that takes a text, with a ticket and a portal session that exist."""
    address, bearer, _ = await service.login(http)
    site = basic()
    async with http.post(f"{service.url}/v1/portal-sessions", json={"user_id": "42"}, headers=site) as response:
        token = (await response.json())["token"]
    session = token.partition(".")[0]
    opened = {"Authorization": f"Bearer {token}"}
    async with http.post(f"{service.url}/v1/portal-sessions/{session}/open", headers=opened) as response:
        holder = {"Authorization": f"Bearer {(await response.json())['secret']}"}
    async with http.get(f"{service.url}/openapi.json") as response:
        document = await response.json()
    sure = {"ticket": address.rpartition("/")[2], "session": session, "token": token, "account": "main"}
    sure |= {"user_id": "42", "capability": "x", "script": "widget", "version": "0", "file": "none"}
    sure |= {"name": "main", "app": "mini", "state": "0" * 32, "segment": "plain", "slug": "not-found"}
    proofs = {
        "site": site,
        "page": {"Origin": ORIGIN},
        "follower": bearer,
        "link": opened,
        "account_holder": holder,
    }
    return [*flood.places(document, sure=sure, proofs={**proofs, "portal_page": {}}), *flood.anywhere()]


@pytest.mark.alone
async def test_junk_at_every_place_leaves_the_process_as_large_as_it_was(tmp_path: Path) -> None:
    """Red when `_head` asks a cached `read_ticket` before it checks the length: 15 MB more for `code` alone."""
    # Few codes, or thousands of genuine tickets would be in memory for the minute that they may be.
    few = {"codes_per_day": 200, "codes_for_binds": 100}
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(wechat())
        accounts = {"main": account(ACCOUNT, api_base=api, **few)}
        service = await stack.enter_async_context(serving(tmp_path, api, accounts=accounts, tickets=LONG))
        http = await stack.enter_async_context(ClientSession())
        await service.ready(http)
        by_door = defaultdict(list)
        for place in await _places(service, http):
            by_door[place.source].append(place)
        port, pid = int(service.url.rpartition(":")[2]), service.process.pid
        for places in by_door.values():
            await _flood(port, places, count=WARM)
        before = latest = megabytes(pid)
        print(f"\n{before:8.1f} MB before")  # noqa: T201 - the figures are asked for
        for source, places in by_door.items():
            bodies = [place for place in places if place.longest == flood.LONG_BODY]
            lines = [place for place in places if place.longest != flood.LONG_BODY]
            evenly = math.ceil(AT_A_DOOR / len(places))
            await _flood(port, bodies, count=max(IN_A_BODY, evenly))
            await _flood(port, lines, count=max(IN_A_LINE, evenly))
            earlier, latest = latest, megabytes(pid)
            print(f"{latest:8.1f} MB {latest - earlier:+6.1f} after {len(places):3} places of {source}")  # noqa: T201 - the figures are asked for
        assert latest - before < ALLOWED
        assert service.process.returncode is None


def caches() -> list[tuple[str, int, int]]:
    """Return how many entries each cache of ours holds, and how often it was asked for another: it may be full."""
    gc.unfreeze()  # tests/conftest.py froze the modules, and what is frozen is not listed
    found = [one for one in gc.get_objects() if isinstance(one, type(lru_cache(len)))]
    ours = [one for one in found if one.__module__.partition(".")[0] in ("handlers", "models", "service")]
    infos = [(f"{one.__module__}.{one.__qualname__}", one.cache_info()) for one in ours]
    return sorted((name, info.currsize, info.misses) for name, info in infos)


@pytest.fixture
def formatted() -> Iterator[None]:
    """Format every log line as the running service does."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logs._Formatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield
    root.setLevel(level)
    root.removeHandler(handler)


def kept(marks: set[str]) -> list[str]:
    """Return the beginnings of the texts with one of *marks* that some object of this process holds."""
    gc.collect()
    found = []
    for tracked in gc.get_objects():
        holders = [tracked]
        while holders:
            holder = holders.pop()
            keys = list(dict.keys(holder)) if isinstance(holder, dict) else []  # texts are not among the referents
            for held in (*gc.get_referents(holder), *keys):
                if isinstance(held, str | bytes):
                    text = held if isinstance(held, str) else held.decode(errors="replace")
                    found += [
                        f"{type(tracked).__name__}: {text[:80]}"
                        for mark in flood.MARK.findall(text)
                        if mark in marks - {text}
                    ]
                elif isinstance(held, dict | tuple) and not gc.is_tracked(held):  # as long as it holds texts alone
                    holders.append(held)
    return found


@pytest.mark.usefixtures("formatted")
async def test_nothing_keeps_what_was_not_proved(world: World) -> None:
    """Red when `_parse_verified` is asked before the secret is checked, and when `read_ticket` is cached.

    Red, too, when any function that is given such a text has an `lru_cache`, and when any dict keeps one. yarl has
    caches, which the second flood overwrites.
    """
    service = Service(cast("Any", None), world.url, Path())
    places, port = await _places(service, world.http), int(world.url.rpartition(":")[2])
    await _flood(port, places, count=5)
    before = caches()
    assert "models.scene.read_ticket" in [name for name, *_ in before], "it is looked at"
    await _flood(port, places, count=6)
    assert caches() == before
    earlier = {mark for text in flood.junk(5, longest=100) for mark in flood.MARK.findall(text)}
    assert kept(earlier) == []


async def _flood(port: int, places: list[flood.Place], *, count: int) -> None:
    for place in places:
        texts = flood.junk(count, longest=place.longest // (1 if place.longest == flood.LONG_BODY else 2))
        await flood.send(port, (place.put(text).written() for text in texts))
