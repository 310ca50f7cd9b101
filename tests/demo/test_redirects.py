"""The shop's logins by a redirect: its own inside WeChat, and that of the element on WeChat's page.

Red when the shop takes a code that came with another visitor's state, or uses such a code up.
"""

import re
from typing import Any

import pytest
from harness import World
from shopper import Visit
from wechat_browser import browsing
from yarl import URL

from demo.shop import DONE
from sandbox.people import Person

NOTICE, WAITING = (f'data-testid="{name}"' for name in ("notice", "wechat-waiting"))
WECHAT = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0.54"


async def inside(visit: Visit, town: World, person: Person) -> URL:
    """Press the shop's button in the browser inside WeChat; return where WeChat leads back to."""
    answer = await visit.http.post("/login/wechat/start", allow_redirects=False)
    async with browsing(town, person) as browser:
        return (await browser.open(answer.headers["Location"])).url


async def on_wechats_page(visit: Visit, town: World, person: Person) -> URL:
    """Follow the element's link to WeChat's page, with the attributes that the shop gave it."""
    given = dict(re.findall(r'(state|return-url)="([^"]+)"', await visit.get("/login")))
    page = await town.login(method="website", state=given["state"], return_url=given["return-url"])
    async with browsing(town) as browser:
        await browser.open(page.made["authorize_url"])
        return (await browser.allow(person)).url


@pytest.mark.parametrize("way", [inside, on_wechats_page])
async def test_a_newcomer_registers_and_logs_in_by_a_redirect(visit: Visit, town: World, way: Any) -> None:
    person = await town.person(following=False)
    back = await way(visit, town, person)
    assert back.with_query(None) == visit.http.make_url(DONE)
    assert WAITING in await visit.get(back.path_qs)
    assert "whoami" in await visit.post("/signup", name="carol", password="")
    await visit.post("/logout")
    before = visit.cookie
    assert 'data-testid="whoami">carol<' in await visit.get((await way(visit, town, person)).path_qs)
    assert visit.cookie != before


async def test_a_code_for_another_visitors_state_is_refused_and_not_used_up(visit: Visit, town: World) -> None:
    back = await inside(visit, town, await town.person())
    for state in ("another", "", "né"):
        assert NOTICE in await visit.get(back.update_query(state=state).path_qs)
    assert NOTICE in await visit.get(back.without_query_params("state").path_qs)
    assert (await town.exchange(back.query["code"])).status == 200


async def test_an_error_instead_of_a_code_is_told(alone: Visit) -> None:
    await alone.get("/login")
    state = alone.session.state
    assert NOTICE in await alone.get(f"{DONE}?error=access_denied&state={state}")


async def test_a_redirect_that_scanbind_refuses_is_told(alone: Visit) -> None:
    assert NOTICE in await alone.post("/login/wechat/start")


@pytest.mark.parametrize("agent", [WECHAT, WECHAT.partition(" MicroMessenger")[0]], ids=["inside", "outside"])
async def test_inside_wechat_a_button_takes_the_place_of_the_code(alone: Visit, agent: str) -> None:
    text = await alone.get("/login", **{"User-Agent": agent})
    shown = [part in text for part in ("<scanbind-qr", "/widget.js", 'data-testid="h5"')]
    assert shown == ([False, False, True] if agent is WECHAT else [True, True, False])
    text = await alone.get("/signup", **{"User-Agent": agent})
    assert not any(part in text for part in ("widget.js", "h5"))


async def test_what_leads_back_is_read_as_strictly_as_a_form(alone: Visit) -> None:
    for query in ("code=%ff", "code"):
        request = URL(f"{alone.http.make_url(DONE)}?{query}", encoded=True)
        assert (await alone.http.session.get(request)).status == 400
    assert (await alone.http.head(DONE)).status == 405
