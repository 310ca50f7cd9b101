"""What a site's values and other people's pages can do to the pages of a sign-in, and to where it returns."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl

import pytest
from harness import ORIGIN, Page, World, client
from redirecting import BACK, PAGES, Kind, redirecting
from wechat_browser import Visit, browsing

Make = Callable[..., Any]
pytestmark = pytest.mark.parametrize("kind", PAGES, ids=lambda kind: kind.method)
CLUB = "https://club.example"
HOSTILE = [
    "</script><script>hit=1</script>",
    "\"'><img src=x onerror=hit=1>",
    "&quot;&#34;&lt;b&gt;",
    "$message ${origins} %s {0} {x}",
    "\r\nSet-Cookie: a=b\r\n\r\n<b>",
    "a&code=b&error=c&state=d#e",
    "\u2028\u2029\u202e\ufeff",
    '\\"}]\' data-origins=\'["https://evil.example"]',
    "\U0001f600" * 256,
]
"""What a site may send as state."""


class Marks(HTMLParser):
    """The tags of a page with the names of their attributes, and the attributes of its body."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []
        self.body: dict[str, str | None] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [name for name, _ in attrs]))
        if tag == "body":
            self.body = dict(attrs)


def handed(visit: Visit) -> tuple[dict[str, str], list[str]]:
    body = Marks(visit.text).body
    return json.loads(body["data-message"] or ""), json.loads(body["data-origins"] or "")


async def landed(world: World, page: Page, person: Any) -> Visit:
    async with browsing(world) as frame:
        await frame.open(page.made["panel"]["src"])
        return await frame.allow(person)


async def test_no_state_writes_into_the_landing_page(make: Make, kind: Kind) -> None:
    """Red when `pages.filled` does not escape the values of the page's script."""
    world, person = await redirecting(make, kind)
    plain = await landed(world, await world.login(method=kind.method, return_url=BACK, state="s"), person)
    for state in HOSTILE:
        page = await world.login(method=kind.method, return_url=BACK, state=state)
        visit = await landed(world, page, person)
        assert Marks(visit.text).tags == Marks(plain.text).tags
        message, origins = handed(visit)
        assert (message["state"], origins) == (state, [ORIGIN])
        assert (await (await world.exchange(message["code"])).json())["state"] == state


async def test_no_state_changes_where_a_browser_returns_to_or_what_it_brings(make: Make, kind: Kind) -> None:
    """Red when `_show` writes the fields into the address as they are."""
    world, person = await redirecting(make, kind)
    for state in HOSTILE:
        page = await world.login(method=kind.method, return_url=BACK, state=state)
        async with browsing(world) as browser:
            visit = await kind.sign_in(browser, page, person)
        sent = visit.way[-1]
        assert sent.startswith(f"{BACK}&code=")
        assert sent.isascii()
        assert [name for name, _ in parse_qsl(sent.partition("?")[2])] == ["from", "code", "state"]
        assert dict(parse_qsl(sent.partition("?")[2]))["state"] == state


@pytest.mark.parametrize(
    "address",
    [
        f"{BACK}&a=b", BACK.partition("?")[0], f"{BACK}#", f"{BACK} ", f" {BACK}", f"{BACK}\r\nX: y", BACK.upper(),
        BACK.replace("https", "http"), BACK.replace("shop.example", "shop.example.evil.example"),
        BACK.replace("shop.example", "shop.example@evil.example"), BACK.replace("/login", "//login"),
        BACK.replace("/login", "/x/../login"), BACK.replace("/login", "/%6Cogin"), "//evil.example/",
        "javascript:hit=1", "https://evil.example\\@shop.example/login/done?from=wechat", "",
    ],
)  # fmt: skip
async def test_no_ticket_returns_to_an_address_that_is_not_listed(make: Make, kind: Kind, address: str) -> None:
    """Red when `_return` compares anything less than the whole text."""
    world, _ = await redirecting(make, kind)
    page = {"purpose": "login", "client_id": "shop", "method": kind.method, "state": "s", "return_url": address}
    answer = await world.call("POST", "/v1/tickets", json=page, headers={"Origin": ORIGIN})
    assert answer.status == 400
    bind = {"purpose": "bind", "user_id": "1", "method": kind.method, "state": "s", "return_url": address}
    assert (await world.site("POST", "/v1/tickets", bind)).status == 400


async def test_a_landing_page_is_for_its_own_clients_pages_alone(make: Make, kind: Kind) -> None:
    """Red when `_landing` names the origins of all clients, or the pages of errors may be framed."""
    offers = {"apps": ["site"], "methods": [kind.method], "return_urls": [BACK]}
    world = await make(
        apps={"site": kind.app},
        clients={"shop": client("shop", **offers), "club": client("club", **offers, origins=[CLUB])},
    )
    person = await world.person()
    for name, origin in (("shop", ORIGIN), ("club", CLUB)):
        body = {"purpose": "login", "client_id": name, "method": kind.method, "return_url": BACK, "state": "s"}
        made = await (await world.call("POST", "/v1/tickets", json=body, headers={"Origin": origin})).json()
        async with browsing(world) as frame, browsing(world) as other:
            await frame.open(made["panel"]["src"])
            back = await frame.allow(person)
            without = await other.open(str(back.url))
            assert (handed(back)[1], handed(without)) == ([origin], ({"scanbind": "cookies"}, [origin]))
            await other.open(
                (await world.login(method=kind.method, return_url=BACK, state="s")).made["panel"]["src"]
            )
            foreign = await other.open(str(back.url))
            assert (foreign.status, Marks(foreign.text).body) == (400, {})
        for visit, framers in ((back, origin), (without, origin), (foreign, "'none'")):
            assert visit.headers["Content-Security-Policy"].endswith(f"frame-ancestors {framers}")
