"""What is asked of WeChat beside the openid, and what becomes of it when the sign-in fails.

Red when a login goes on without the unionid that tells who it is, when a name is stored for a client that does not
ask, and when one is stored of a person whose sign-in came to nothing.
"""

from collections.abc import Callable
from typing import Any

import pytest
from harness import client
from profile_sign_in import Town, town
from redirecting import BACK, WEBSITE_LOGIN
from wechat_browser import browsing

from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.errors import Refused
from service.app_keys import PROFILES

Make = Callable[..., Any]


@pytest.fixture
def laconic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let WeChat leave the unionid out of the answer to the code (wechat-protocol.md 5)."""
    exchange = WebAuthorization.exchange

    def without(self: WebAuthorization, asked: Any) -> dict[str, object]:
        return {name: value for name, value in exchange(self, asked).items() if name != "unionid"}

    monkeypatch.setattr(WebAuthorization, "exchange", without)


async def stored(at: Town) -> list[str]:
    """Return the names that are stored of the person."""
    assert at.world.app
    openid = at.person.openid(WEBSITE_LOGIN.app.appid if WEBSITE_LOGIN.app else "")
    found = await at.world.app[PROFILES].of([("site", openid)])  # type: ignore[list-item]  # the sandbox's is a str
    return [one.nickname for one in found.values()]


async def joining(make: Make, **changes: Any) -> Town:
    """Return a town where a unionid tells who a person is."""
    at = await town(make, WEBSITE_LOGIN, app={"open_platform": "acme"}, **changes)
    at.person = await at.world.person(unionid="union-anna")
    return at


@pytest.mark.usefixtures("laconic")
@pytest.mark.parametrize("profile", [False, True])
async def test_a_login_that_lacks_its_unionid_fails(
    make: Make, monkeypatch: pytest.MonkeyPatch, *, profile: bool
) -> None:
    at = await joining(make, profile=profile)

    def refuse(*_: object, **__: object) -> None:
        raise Refused(45011)

    monkeypatch.setattr(WebAuthorization, "userinfo", refuse)
    page = await at.world.login(method="website", return_url=BACK, state="s")
    async with browsing(at.world) as browser:
        told = (await at.kind.sign_in(browser, page, at.person)).answer
    assert told == {"error": "temporarily_unavailable", "state": "s", "from": "wechat"}


@pytest.mark.usefixtures("laconic")
async def test_a_name_that_came_with_the_unionid_is_not_stored_unasked(make: Make) -> None:
    at = await joining(make, profile=False)
    assert (await at.sign_in())["unionid"] == "union-anna"
    assert await stored(at) == []


async def test_a_person_who_comes_too_late_changes_no_name(make: Make) -> None:
    """Two people come back with one bind: it belongs to the first."""
    at = await town(make, WEBSITE_LOGIN, others={"club": client("club", apps=["site"])})
    await at.sign_in()
    at.world.sandbox.change_profile(at.person, nickname="Changed since")
    page = await at.world.bind("42", method="website", return_url=BACK, state="s")
    async with browsing(at.world) as browser:
        address = page.made["authorize_url"]
        await browser.open(address)
        first = browser.at.consent if browser.at else None
        await browser.open(address)
        second = browser.at.consent if browser.at else None
        assert first
        assert second
        for consent, person in ((first, await at.world.person()), (second, at.person)):
            visit = await browser.open(at.world.authorization.allow(person, consent).address or "")
    assert visit.status == 400
    assert await stored(at) == ["Person 0"]
