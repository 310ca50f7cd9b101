"""Name and picture of a person reach the site, follow WeChat's at each login, and end with the binding.

Covers: handlers.bindings.routes.

Red when the client's `profile` does not decide, when an address can be made up or works after its picture is gone,
and when a profile that cannot be had costs the login.
"""

from collections.abc import Callable
from typing import Any

import pytest
from altering import altered
from harness import client, problem
from portal_client import visit
from profile_sign_in import SHOWING, town
from redirecting import BACK, WEBSITE_LOGIN, Kind
from wechat_browser import browsing

from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.errors import Refused
from sandbox.faults import PictureFault
from service.app_keys import KEYRING
from service.crypto.keyring import Capability

Make = Callable[..., Any]
KINDS = pytest.mark.parametrize("kind", SHOWING, ids=lambda kind: kind.method)


@KINDS
async def test_the_exchange_the_binding_and_the_list_name_the_person(make: Make, kind: Kind) -> None:
    at = await town(make, kind)
    profile = (await at.sign_in())["profile"]
    assert profile["nickname"] == at.person.nickname
    assert (await at.bound("42"))["profile"] == profile
    [listed] = await at.world.bindings("42")
    assert listed["profile"] == profile
    assert (await at.sign_in())["profile"] == profile


@KINDS
async def test_the_picture_is_served_from_our_address_for_long(make: Make, kind: Kind) -> None:
    at = await town(make, kind)
    response = await at.picture((await at.sign_in())["profile"]["picture"])
    assert (response.status, response.content_type) == (200, "image/jpeg")
    assert (await response.read()).startswith(b"\xff\xd8\xff")
    assert response.headers["Cache-Control"] == "private, max-age=604800, immutable, no-transform"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'none'"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@KINDS
async def test_a_client_that_does_not_ask_gets_none(make: Make, kind: Kind) -> None:
    at = await town(make, kind, profile=False)
    assert (await at.sign_in())["profile"] is None
    assert (await at.bound("42"))["profile"] is None


async def test_a_login_brings_the_new_name(make: Make) -> None:
    at = await town(make, WEBSITE_LOGIN)
    before = (await at.sign_in())["profile"]
    at.world.sandbox.change_profile(at.person, nickname="Anna the Second")
    after = (await at.sign_in())["profile"]
    assert (before["nickname"], after["nickname"]) == (at.person.nickname, "Anna the Second")
    assert after["picture"] == before["picture"]


async def test_a_login_brings_the_new_picture(make: Make) -> None:
    at = await town(make, WEBSITE_LOGIN)
    before = (await at.sign_in())["profile"]["picture"]
    old = await (await at.picture(before)).read()
    at.world.sandbox.change_profile(at.person, picture=True)
    after = (await at.sign_in())["profile"]["picture"]
    assert await (await at.picture(after)).read() != old
    await problem(await at.picture(before), 404, "not-found")


@pytest.mark.parametrize("fault", PictureFault)
async def test_no_picture_costs_the_login_or_the_name(make: Make, fault: PictureFault) -> None:
    at = await town(make, WEBSITE_LOGIN, patient=fault is not PictureFault.SLOW)
    at.world.authorization.pictures.set_fault(at.person.id, fault)
    profile = (await at.sign_in())["profile"]
    assert profile["nickname"] == at.person.nickname
    usable = fault in (PictureFault.WRONG_TYPE, PictureFault.ANIMATED)
    assert (profile["picture"] is not None) == usable


async def test_a_nickname_is_cleaned(make: Make) -> None:
    at = await town(make, WEBSITE_LOGIN)
    at.world.sandbox.change_profile(at.person, nickname="<b>Anna</b>\u202e\n &amp;")
    assert not set("<>&\u202e\n") & set((await at.sign_in())["profile"]["nickname"])


async def test_a_login_without_the_profile_is_a_login(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """WeChat exchanges the code, and then tells nothing of the person."""
    at = await town(make, WEBSITE_LOGIN)

    def refuse(*_: object, **__: object) -> None:
        raise Refused(45011)

    monkeypatch.setattr(WebAuthorization, "userinfo", refuse)
    redeemed = await at.sign_in()
    assert (redeemed["outcome"], redeemed["profile"]) == ("register", None)


async def test_what_one_client_brought_is_not_told_to_one_that_does_not_ask(make: Make) -> None:
    club = client("club", apps=["site"], methods=["website", "scan"], return_urls=[BACK])
    at = await town(make, WEBSITE_LOGIN, others={"club": club})
    assert (await at.sign_in())["profile"]
    assert (await at.sign_in(client="club"))["profile"] is None


async def test_clients_have_addresses_of_their_own(make: Make) -> None:
    """Red when an address can be made without the client's keys."""
    club = client("club", apps=["site"], methods=["website", "scan"], return_urls=[BACK], profile=True)
    at = await town(make, WEBSITE_LOGIN, others={"club": club})
    ours = (await at.sign_in())["profile"]["picture"]
    theirs = (await at.sign_in(client="club"))["profile"]["picture"]
    name, _, proof = ours.rpartition("/")[2].partition(".")
    assert theirs.rpartition("/")[2].partition(".")[2] != proof
    for forged in (f"{name}.{altered(proof)}", f"{altered(name)}.{proof}", f"{name}.", name, f"{name}.{proof}.x"):
        response = await at.world.call("GET", f"/v1/profile-pictures/{forged}")
        await problem(response, 404, "not-found")


async def test_a_client_that_asks_no_more_serves_no_pictures(make: Make) -> None:
    """Red when the address alone decides: `profile` may have been taken out of the configuration since."""
    club = client("club", apps=["site"], methods=["website", "scan"], return_urls=[BACK])
    at = await town(make, WEBSITE_LOGIN, others={"club": club})
    ours = (await at.sign_in())["profile"]["picture"]
    assert at.world.app
    name = ours.rpartition("/")[2].partition(".")[0]
    theirs = at.world.app[KEYRING].newest("club").capability(Capability.PROFILE_PICTURE, name)
    response = await at.world.call("GET", f"/v1/profile-pictures/{theirs}")
    await problem(response, 404, "not-found")


@pytest.mark.parametrize("ends", ["site", "portal"])
async def test_the_picture_ends_with_the_binding(make: Make, ends: str) -> None:
    at = await town(make, WEBSITE_LOGIN)
    address = (await at.bound("42"))["profile"]["picture"]
    assert (await at.picture(address)).status == 200
    if ends == "site":
        assert (await at.world.site("DELETE", "/v1/bindings/42")).status == 204
    else:
        session = await visit(at.world)
        assert (await session.call("DELETE", "/bindings/site")).status == 204
    await problem(await at.picture(address), 404, "not-found")


async def test_the_portal_shows_which_wechat_it_is(make: Make) -> None:
    at = await town(make, WEBSITE_LOGIN)
    profile = (await at.bound("42"))["profile"]
    view = await (await visit(at.world)).view()
    assert [one["profile"] for one in view["bindings"]] == [profile]
    assert view["profiles"]


async def test_a_takeover_keeps_the_picture(make: Make) -> None:
    """The registration of a bind by redirect moves the WeChat to another user: it is bound before and after."""
    at = await town(make, WEBSITE_LOGIN, takeover="move")
    await at.bound("42")
    page = await at.world.bind("43", method="website", return_url=BACK, state="s")
    async with browsing(at.world) as browser:
        shown = await at.kind.sign_in(browser, page, at.person)
    moved = await (await at.world.exchange(shown.answer["code"])).json()
    assert (moved["user_id"], moved["profile"]["nickname"]) == ("43", at.person.nickname)
    assert (await at.picture(moved["profile"]["picture"])).status == 200
