"""Runs every block of docs/redirects.md: the site in Python and the one in Node, over a real service.

Red when a site does not compare `state` (before a bind, as after a login), or makes a known person a new user.
"""

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aiohttp import ClientSession
from desk import Desk, ended
from guide import Guide
from harness import ACCOUNT, SECRETS, WEBSITE, World
from redirecting import H5, WEBSITE_LOGIN, Kind
from serving import port_of_a_process
from wechat_browser import Browser, browsing
from yarl import URL

from sandbox.announcement import announcement
from sandbox.faults import SnsFault
from sandbox.kinds import default_emulated
from sandbox.people import Person

PAGE: Final = Path(__file__).parent.parent / "docs" / "redirects.md"
PUSHES: Final = "http://127.0.0.1:8080/wechat/main"
KINDS: Final = pytest.mark.parametrize("kind", [WEBSITE_LOGIN, H5], ids=lambda kind: kind.method)


@dataclass(frozen=True)
class Site:
    """The site of the page, running."""

    world: World
    url: str

    async def begin(self, browser: Browser, person: Person) -> URL:
        """Press the button and let the person allow what WeChat asks; return where the browser goes then."""
        async with browser.http.post(f"{self.url}/start", allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        visit = await browser.open(answer.headers["Location"])
        return (await browser.allow(person) if visit.consent else visit).url

    async def show(self, browser: Browser, url: URL | str) -> tuple[int, str]:
        """Open a page of the site; return its status and what it says."""
        async with browser.http.get(url) as answer:
            return answer.status, (await answer.text()).partition("</h1>")[0].partition("<h1>")[2]

    async def log_in(self, browser: Browser, person: Person) -> str:
        """Log in and return the user that the site greets."""
        status, text = await self.show(browser, await self.begin(browser, person))
        assert (status, text[:12]) == (200, "Hello, user-"), text
        return text.removeprefix("Hello, ")


@pytest.fixture(
    params=[
        "python",
        pytest.param(
            "js",
            marks=pytest.mark.skipif(
                not shutil.which("node"), reason="needs nodejs, which is not on this machine"
            ),
        ),
    ]
)
async def site(request: pytest.FixtureRequest, make: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Site]:
    port = port_of_a_process()
    guide = Guide(PAGE, {"8000": str(port)})
    shop = yaml.safe_load(guide.take("yaml"))["clients"]["shop"]
    world: World = await make(
        official={"main": replace(ACCOUNT, oauth="base")},
        apps={"site": WEBSITE},
        clients={"shop": {**shop, "secret": [shop["secret"], SECRETS["shop"]]}},
    )
    guide.elsewhere["http://127.0.0.1:8080"] = world.url
    programs = {language: (guide.take(language), guide.take("sh")) for language in ("python", "js")}
    assert guide.left == []
    program, command = programs[request.param]
    (tmp_path / command.split()[1]).write_text(program, encoding="utf-8")
    async with ClientSession() as http:
        desk = Desk(tmp_path, guide, http, world.url, world.wechat, f"http://127.0.0.1:{port}")
        async with ended(await desk.start(command)):
            await desk.wait_for(desk.site)
            yield Site(world, desk.site)


def test_the_sandbox_prints_what_the_site_names() -> None:
    shop = yaml.safe_load(Guide(PAGE, {}).take("yaml"))["clients"]["shop"]
    printed = announcement(default_emulated(PUSHES), address="http://127.0.0.1:8082")
    known = yaml.safe_load(printed[printed.index("accounts:") :])
    assert set(shop["accounts"]) <= set(known["accounts"])
    assert set(shop["apps"]) <= set(known["apps"])


@KINDS
async def test_a_new_person_becomes_a_user_who_logs_in_again(site: Site, kind: Kind) -> None:
    users = []
    for person in [await site.world.person()] * 2 + [await site.world.person()]:
        async with browsing(site.world, kind.phone(person)) as browser:
            assert await site.show(browser, site.url) == (200, "Log in")
            users.append(await site.log_in(browser, person))
            assert await site.show(browser, site.url) == (200, f"Hello, {users[-1]}")
    assert users[0] == users[1] != users[2]


@KINDS
async def test_what_another_browser_brought_back_is_no_login(site: Site, kind: Kind) -> None:
    attacker, victim = await site.world.person(), await site.world.person()
    again = 403, "Please start again."
    async with browsing(site.world, kind.phone(attacker)) as own, browsing(site.world) as other:
        foreign = await site.begin(own, attacker)
        assert await site.show(other, foreign) == again
        mine = await site.begin(other, victim)
        for url in (
            foreign,
            foreign.without_query_params("state"),
            foreign.update_query(state=mine.query["state"]),
        ):
            assert await site.show(other, url) == again
        assert await site.show(other, site.url) == (200, "Log in")
        assert (await site.show(other, mine))[0] == 200


async def test_a_user_binds_another_wechat_and_is_told_of_a_conflict(site: Site) -> None:
    first, second = await site.world.person(), await site.world.person()
    async with browsing(site.world) as browser, browsing(site.world) as elsewhere:
        anna, ben = await site.log_in(browser, first), await site.log_in(elsewhere, second)
        taken = await site.begin(browser, second)
        assert await site.show(browser, taken) == (403, "This WeChat belongs to another user.")
        third = await site.begin(browser, await site.world.person())
        assert await site.show(browser, third) == (403, "You have another WeChat.")
        assert (await site.world.site("DELETE", f"/v1/bindings/{anna}")).status == 204
        await site.begin(elsewhere, second)
        assert await site.show(elsewhere, third) == (403, "Please start again.")
        assert await site.world.bindings(anna) == []
        assert await site.show(browser, third) == (200, f"Hello, {anna}")
        (binding,) = await site.world.bindings(anna)
        assert binding["method"] == "website"
    assert await site.world.bindings(ben)


async def test_an_error_of_wechat_is_shown_and_the_next_attempt_succeeds(site: Site) -> None:
    person = await site.world.person()
    async with browsing(site.world) as browser:
        site.world.authorization.fault = SnsFault.BUSY
        returned = await site.begin(browser, person)
        assert returned.query["error"] == "temporarily_unavailable"
        assert await site.show(browser, returned) == (200, "Please try again later.")
        refused = returned.update_query(error="access_denied")
        assert await site.show(browser, refused) == (200, "You refused.")
        site.world.authorization.fault = None
        assert await site.log_in(browser, person)
