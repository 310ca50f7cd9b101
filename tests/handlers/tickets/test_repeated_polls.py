"""A repeated poll that is answered before the router gets the answer of the router, byte for byte.

Red when any condition of `_is_plain` or `_note` is left out, and when the two ways differ in a header.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from harness import ORIGIN, World
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from two_ways import (
    PATH,
    PLAIN,
    PROOF,
    SECRET,
    TAG,
    Head,
    asking_world,
    comparable,
    compare_at_all_times,
    every_state,
    exchanged,
    forget,
    heads,
    written,
)

from handlers.http.rendered import Rendered
from handlers.tickets import repeated_polls
from service import app_keys
from service.crypto.keyring import ClientKeys


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The answers that were given before the router."""
    given: list[bytes] = []

    class Counted(Rendered):
        def __init__(self, message: bytes) -> None:
            given.append(message)
            super().__init__(message)

    monkeypatch.setattr(repeated_polls, "Rendered", Counted)
    return given


@pytest.fixture
async def asking(make: Any) -> World:
    return await asking_world(make)


async def test_both_ways_answer_alike_in_every_state_and_at_any_time(asking: World, fast: list[bytes]) -> None:
    pages = await every_state(asking)

    # A failure is not made smaller, which takes minutes.
    @settings(max_examples=40, phases=[Phase.explicit, Phase.generate])
    @given(name=st.sampled_from(["pending", "scanned", *pages]), head=heads)
    @example(name="pending", head=PLAIN)
    def alike(name: str, head: Head) -> None:
        tag = re.search(rb'ETag: "(\w+)"', exchanged(asking, written(pages[name], "", PLAIN)))
        request = written(pages[name], tag[1].decode() if tag else "none", head)
        again = comparable(exchanged(asking, request))
        forget(asking)
        assert again == comparable(exchanged(asking, request))

    await compare_at_all_times(asking, pages.values(), alike, fast)


@pytest.mark.parametrize("tag", ["", TAG])
async def test_a_repeated_poll_is_answered_before_the_router(asking: World, fast: list[bytes], tag: str) -> None:
    page = await asking.login()
    forget(asking)
    first = await page.raw(Origin=ORIGIN)
    assert fast == []
    again = await page.raw(Origin=ORIGIN, If_None_Match=first.headers["ETag"] if tag else '""')
    assert len(fast) == 1
    assert again.status == (304 if tag else 200)
    assert again.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "head",
    [
        ("HEAD", PATH, "HTTP/1.1", (PROOF,)),
        ("GET", f"{PATH}?", "HTTP/1.1", (PROOF,)),
        ("GET", PATH, "HTTP/1.0", (PROOF, ("Connection", "keep-alive"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, ("Connection", "close"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, ("Prefer", "wait=0"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, ("Expect", "100-continue"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, PROOF)),
        ("GET", PATH, "HTTP/1.1", (("Authorization", f"Bearer {SECRET}A"),)),
        ("GET", PATH, "HTTP/1.1", ()),
    ],
)
async def test_every_other_request_goes_to_the_router(asking: World, fast: list[bytes], head: Head) -> None:
    page = await asking.login()
    await asyncio.to_thread(exchanged, asking, written(page, "", head))
    assert fast == []
    await page.poll()
    assert len(fast) == 1


async def test_a_poll_that_would_wait_waits(asking: World) -> None:
    """Red when `_is_plain` ignores `Prefer`."""
    page = await asking.login()
    tag = (await page.raw()).headers["ETag"]
    began = time.monotonic()
    assert (await page.raw(If_None_Match=tag, Prefer="wait=1")).status == 304
    assert time.monotonic() - began > 0.9


async def test_a_change_is_seen_by_the_next_poll(asking: World, fast: list[bytes]) -> None:
    page, person = await asking.login(), await asking.person()
    before = [await page.poll() for _ in range(3)][-1]
    await asking.scan(person, page)
    after = [await page.poll() for _ in range(3)]
    assert before["status"] == "pending"
    assert [one["status"] for one in after] == ["scanned"] * 3
    assert len(fast) >= 3


async def test_an_unknown_ticket_and_a_wrong_secret_take_the_same_steps(
    asking: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when nothing is compared for a ticket without a note, or a note is looked at before its proof."""
    page = await asking.login()
    unknown = f"{page.id[:-1]}{'A' if page.id[-1] != 'A' else 'B'}"
    await page.poll()
    steps: list[object] = []

    def noted(function: Callable[..., Any], lengths: Callable[..., object]) -> Callable[..., Any]:
        return lambda *given: (steps.append(lengths(*given)), function(*given))[1]

    same = noted(ClientKeys.same, lambda given, expected: ("same", len(given), len(expected)))
    monkeypatch.setattr(ClientKeys, "same", staticmethod(same))
    monkeypatch.setattr(
        type(asking.app[app_keys.TICKET_STATUS]), "known", noted(lambda *_: None, lambda *_: "known")
    )
    taken = []
    for ticket in (page.id, unknown):
        steps.clear()
        wrong = {"Authorization": f"Bearer {page.made['secret'][::-1]}"}
        assert (await asking.call("GET", f"/v1/tickets/{ticket}", headers=wrong)).status == 404
        taken.append(list(steps))
    assert taken[0] == taken[1] == [("same", 43, 43)]


async def test_repeated_polls_are_counted_and_logged(asking: World, caplog: pytest.LogCaptureFixture) -> None:
    """Red when `_answer` leaves out `account`."""
    page = await asking.login()
    caplog.set_level(logging.DEBUG, "scanbind.access")
    for _ in range(3):
        await page.raw()
    labels = 'method="GET",route="/v1/tickets/{ticket}",status="200"'
    counted = await (await asking.call("GET", "/metrics")).text()
    assert f"scanbind_http_request_seconds_count{{{labels}}} 3.0" in counted
    assert sum(one.getMessage() == "GET /v1/tickets/{ticket} 200" for one in caplog.records) == 3
