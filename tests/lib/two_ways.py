"""Requests of a ticket's holder in any form, and their answers in a form that can be compared."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from harness import ORIGIN, Page, World, client
from hypothesis import strategies as st

from models.ticket import READABLE_AFTER
from service import app_keys

CLUB: Final = "https://club.example"
TAG, SECRET, PATH = "TAG", "SECRET", "PATH"
"""Stand for the ETag, the secret and the address of the ticket or of its stream."""
PROOF = ("Authorization", f"Bearer {SECRET}")

Head = tuple[str, str, str, tuple[tuple[str, str], ...]]
"""Method, target, version and headers of a request."""
PLAIN: Final[Head] = ("GET", PATH, "HTTP/1.1", (PROOF,))

proofs = st.sampled_from([
    (PROOF,), (PROOF,), (PROOF,), (PROOF,), (PROOF, PROOF), (), (("Authorization", f"bearer {SECRET}"),),
    (("Authorization", f"Bearer  {SECRET}"),), (("Authorization", f"Bearer {SECRET}A"),),
    (("Authorization", "Bearer \udcff"),), (PROOF, ("Authorization", "")),
])  # fmt: skip
others = st.sampled_from([
    *[("If-None-Match", tag) for tag in (f'"{TAG}"', f'W/"{TAG}"', f'"{TAG}-gzip"', f'"x", "{TAG}"', "*", '"x"')],
    *[("Origin", origin) for origin in (ORIGIN, CLUB, "null", f"{ORIGIN}/")],
    *[("X-Request-Id", given) for given in ("a1b2c3d4", "short", "x" * 64, "<script>")],
    *[("Prefer", given) for given in ("respond-async", "wait=soon", "")],
    *[("Connection", given) for given in ("close", "keep-alive", "Upgrade")],
    ("Expect", "100-continue"), ("Expect", "200-ok"), ("Accept", "text/html"), ("Accept-Encoding", "gzip, br"),
    ("Cookie", "a=b"), ("Range", "bytes=0-1"), ("If-Match", "*"), ("X-Forwarded-For", "203.0.113.7, x"),
])  # fmt: skip
heads: st.SearchStrategy[Head] = st.tuples(
    st.sampled_from(["GET"] * 8 + ["HEAD", "POST"]),
    st.sampled_from([PATH] * 8 + [f"{PATH}?", f"{PATH}?a=1&a=2", f"{PATH}/", f"http://x{PATH}"]),
    st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0"]),
    st.builds(lambda own, more: (*own, *more), proofs, st.lists(others, max_size=3)),
)


async def asking_world(make: Any) -> World:
    """Start a world with two sites, of which one asks, and stop its clock."""
    world: World = await make(
        clients={"shop": client("shop", confirm="match"), "club": client("club", origins=[CLUB])}
    )
    world.clock.hold()
    return world


async def compare_at_all_times(
    world: World, pages: Iterable[Page], compare: Callable[[], None], fast: Sequence[bytes]
) -> None:
    """Call *compare* at all times at which an answer about *pages* may change.

    The answers before the router are in *fast*, which grows each time until the first page has expired.
    """
    expiries = {datetime.fromisoformat(page.made["expires_at"]) for page in pages}
    moments = {world.clock() + timedelta(seconds=seconds) for seconds in (0, 14, 16, 31)}
    moments |= {expiry + timedelta(milliseconds=it) for expiry in expiries for it in (-1, 0, 1)}
    moments |= {expiry + READABLE_AFTER + timedelta(milliseconds=it) for expiry in expiries for it in (-1, 0)}
    for moment in sorted(moments):
        world.clock.advance((moment - world.clock()).total_seconds())
        before = len(fast)
        await asyncio.to_thread(compare)
        assert (len(fast) > before) == (moment < min(expiries))


def exchanged(world: World, request: bytes) -> bytes:
    """Send *request* on a connection of its own; return the answer, with an interim one before it.

    The answer is whole, or goes to the end of the first event of a stream.
    """
    with (
        socket.create_connection(("127.0.0.1", int(world.url.rpartition(":")[2])), timeout=10) as connection,
        connection.makefile("rb") as incoming,
    ):
        connection.sendall(request)
        interim = b""
        while (head := b"".join(iter(incoming.readline, b"\r\n"))).startswith(b"HTTP/1.1 100 "):
            interim += head
        if b"Content-Type: text/event-stream" in head:
            return interim + head + b"".join(iter(incoming.readline, b"\n"))
        length = None if request.startswith(b"HEAD") else re.search(rb"Content-Length: (\d+)", head)
        return interim + head + (incoming.read(int(length[1])) if length else b"")


def written(page: Page, tag: str, head: Head, *, suffix: str = "") -> bytes:
    """Return a request of the holder of *page*'s ticket, for the address with *suffix*."""
    method, target, version, headers = head
    lines = [f"{method} {target} {version}", "Host: x", *(f"{name}: {value}" for name, value in headers)]
    text = "\r\n".join([*lines, "", ""])
    for name, value in {
        TAG: tag,
        SECRET: page.made["secret"],
        PATH: f"/v1/tickets/{page.id}{suffix}",
    }.items():
        text = text.replace(name, value)
    return text.encode(errors="surrogateescape")


def comparable(answer: bytes) -> bytes:
    """Return *answer* without its time and without an id that the service chose itself."""
    answer = re.sub(rb"\r\nDate: [^\r]+ GMT\r\n", b"\r\nDate: -\r\n", answer)
    own = re.search(rb"X-Request-Id: ([0-9a-f]{16})\r\n", answer)
    return answer.replace(own[1], b"-") if own else answer


def forget(world: World) -> None:
    """Take the next poll of every ticket through the router."""
    for entry in list(world.app[app_keys.FEED]._cache.values()):
        entry.note = None


async def every_state(world: World) -> dict[str, Page]:
    """Return a ticket in each state that a page can see before its expiry."""
    pages = {name: await world.login() for name in ("pending", "scanned", "confirmed", "exchanged", "rejected")}
    pages["cancelled"] = await world.bind("42")
    await pages["cancelled"].raw("DELETE")
    for name in ("scanned", "confirmed", "exchanged", "rejected"):
        person = await world.person()
        await world.scan(person, pages[name])
        if name != "scanned":
            number = (await pages[name].poll())["match"]
            await world.say(person, "Not me" if name == "rejected" else number)
    code = (await pages["exchanged"].poll())["code"]
    assert (await world.exchange(code)).status == 200
    return pages
