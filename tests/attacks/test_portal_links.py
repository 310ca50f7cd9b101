"""A portal link opens by itself only from its site; from anywhere else the page asks first."""

from typing import Any

import pytest
from harness import ORIGIN, World, client
from multidict import CIMultiDict
from portal_client import (
    CLUB,
    Visit,
    at_once,
    cookie_of,
    follow,
    go,
    link,
    press,
)

from models.portal import LINK_LIVES

SIBLING = "https://shop.127.0.0.1.example"


LEADS = {
    "from its site": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/"},
    "from a page of its site": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/settings?a=b#c"},
    "from its site, without metadata": {"Referer": f"{ORIGIN}/"},
    "from the site's other origin": {"Sec-Fetch-Site": "cross-site", "Referer": "https://www.shop.example/"},
    "from a neighbour": {"Sec-Fetch-Site": "same-site"},
    "from a neighbour that sends a Referer": {"Sec-Fetch-Site": "same-site", "Referer": "https://a.example/"},
    "from a page of ours": {"Sec-Fetch-Site": "same-origin"},
}
"""What browsers send that come from where a link opens by itself."""
STRAYS = {
    "silent": {},
    "typed, or from a mail program": {"Sec-Fetch-Site": "none"},
    "typed, with a Referer": {"Sec-Fetch-Site": "none", "Referer": f"{ORIGIN}/"},
    "from a page that hides itself": {"Sec-Fetch-Site": "cross-site"},
    "from another site": {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/"},
    "from another site, without metadata": {"Referer": "https://evil.example/"},
    "from another client's site": {"Sec-Fetch-Site": "cross-site", "Referer": f"{CLUB}/"},
    "from a sibling of the site": {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.shop.example/"},
    "by another scheme": {"Sec-Fetch-Site": "cross-site", "Referer": ORIGIN.replace("https", "http")},
    "from another port": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}:444/"},
    "a site that looks alike": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}.evil.example/"},
    "the site as a password": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}@evil.example/"},
    "the site in the path": {"Sec-Fetch-Site": "cross-site", "Referer": f"https://evil.example/{ORIGIN}/"},
    "a backslash": {"Sec-Fetch-Site": "cross-site", "Referer": f"https://evil.example\\@{ORIGIN}/"},
    "null": {"Sec-Fetch-Site": "cross-site", "Referer": "null"},
    "empty": {"Sec-Fetch-Site": "cross-site", "Referer": ""},
    "two in one line": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/, https://evil.example/"},
    "an Origin in place of it": {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    "no word that browsers send": {"Sec-Fetch-Site": "same-origin, cross-site", "Referer": f"{ORIGIN}/"},
    "another no word": {"Sec-Fetch-Site": "", "Referer": f"{ORIGIN}/"},
}
"""What arrives from anywhere else."""
FORMS = {
    **STRAYS,
    "its site's own form": {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN, "Referer": f"{ORIGIN}/"},
    "its site's form, without metadata": {"Origin": ORIGIN, "Referer": f"{ORIGIN}/"},
    "a neighbour's form": {"Sec-Fetch-Site": "same-site", "Origin": SIBLING},
    "metadata against Origin": {"Sec-Fetch-Site": "cross-site", "Origin": "OWN"},
    "another site's form": {"Origin": "https://evil.example"},
    "of no origin": {"Origin": "null"},
    "of an empty origin": {"Origin": ""},
    "our origin with a path": {"Origin": "OWN/"},
    "our origin with a digit more": {"Origin": "OWN0"},
    "a Referer in place of it": {"Referer": "OWN/portal/open/x"},
}
"""Forms that the page which asks did not send; OWN is the service's origin."""


@pytest.fixture
async def sites(make: Any) -> World:
    """A world of two clients, of which one has two origins."""
    started: World = await make(
        clients={
            "shop": client("shop", origins=[ORIGIN, "https://www.shop.example"]),
            "club": client("club", origins=[CLUB]),
        }
    )
    return started


async def test_a_link_opens_by_itself_where_its_site_leads_there(sites: World) -> None:
    """Red when `_began_at_its_site` returns False, or compares with the first origin alone."""
    for how, headers in LEADS.items():
        made = await link(sites)
        response = await go(sites, made["token"], **headers)
        assert (response.status, len(response.cookies)) == (303, 1), how
    made = await link(sites)
    assert (await follow(sites, made, origin=sites.url)).status == 303


async def test_a_link_from_anywhere_else_asks_first_and_stays_unused(sites: World) -> None:
    """Red when `_began_at_its_site` returns True, knows any client's origins, or believes a Referer of `none`."""
    made = await link(sites, account_name="mallory")
    for how, headers in STRAYS.items():
        response = await go(sites, made["token"], **headers)
        assert (response.status, len(response.cookies)) == (200, 0), how
        assert 'data-testid="portal-ask"' in await response.text(), how
    assert (await press(sites, made)).status == 303
    assert (await press(sites, made)).status == 410


async def test_a_referer_that_is_sent_twice_counts_as_none(sites: World) -> None:
    """Red when `_began_at_its_site` takes the first of several."""
    made = await link(sites)
    path = f"/portal/open/{made['token']}"
    for more in (ORIGIN, "https://evil.example"):
        headers = CIMultiDict([("Referer", f"{ORIGIN}/"), ("Referer", f"{more}/")])
        response = await sites.call("GET", path, headers=headers, allow_redirects=False)
        assert (response.status, len(response.cookies)) == (200, 0)
    assert (await follow(sites, made)).status == 303


async def test_only_the_button_of_the_page_that_asks_goes_on(sites: World) -> None:
    """Red when `go_on` takes any POST, believes `same-site`, or believes an Origin against the metadata."""
    made = await link(sites)
    path = f"/portal/open/{made['token']}"
    for how, headers in FORMS.items():
        sent = {name: value.replace("OWN", sites.url) for name, value in headers.items()}
        response = await sites.call("POST", path, headers=sent, data={"a": "b"}, allow_redirects=False)
        assert (response.status, len(response.cookies)) == (200, 0), how
        assert 'data-testid="portal-ask"' in await response.text(), how
    response = await sites.call("POST", path, headers={"Origin": sites.url}, allow_redirects=False)
    assert (response.status, len(response.cookies)) == (303, 1)
    here = Visit(sites, made["token"], cookie_of(response).value)
    assert response.headers["Location"] == f"{sites.url}/portal/{here.id}?lang=en"
    assert (await here.call(headers=here.own)).status == 200


async def test_the_button_goes_on_once_and_in_time(world: World) -> None:
    """Red when `_visit` asks about a link that opens no more, or `PortalSession.waits` leaves its end out."""
    used, late = await link(world), await link(world)
    statuses = await at_once(*(press(world, used) for _ in range(5)))
    assert statuses == [303, 410, 410, 410, 410]
    world.clock.advance(LINK_LIVES.total_seconds())
    for made in (used, late):
        for response in (await press(world, made), await follow(world, made, origin=None)):
            assert (response.status, len(response.cookies)) == (410, 0)


async def test_the_page_that_asks_names_account_and_site_and_runs_nothing(make: Any) -> None:
    """Red when `_confirmation_page` shows a name that `cleaned_name` has not cleaned for the chat."""
    names = {"name": {"zh": "<b>商城</b>", "en": "Shop & <i>Sons</i>"}}
    world = await make(clients={"shop": client("shop") | names})
    for user_id, account_name, shown in (
        ("42", "anna@shop.example", "anna@shop.example"),
        ("42", None, "42"),
        ("u-1<script>", None, "u-1script"),
        ("42", "</bdi><script>hit=1</script>", "bdiscripthit=1script"),
        ("42", '" onclick="hit=1', "&quot; onclick=&quot;hit=1"),
        ("42", "\u202eanna\u0000\n$$site ${en}", "anna$$site ${en}"),
        ("42", "n" * 200, "n" * 63 + "…"),
        ("42", "https://evil.example/a", "httpsevil.examplea"),
        ("<>", None, "?"),
        ("安娜 😀", "\u200b", "安娜 😀"),
    ):
        made = await link(world, user_id, account_name=account_name)
        text = await (await follow(world, made, origin=None)).text()
        assert text.count(f"<bdi>{shown}</bdi>") == 2
        assert "</bdi> at Shop &amp; &lt;i&gt;Sons&lt;/i&gt;</h1>" in text
        assert "“&lt;b&gt;商城&lt;/b&gt;”" in text
        assert "<script" not in text
