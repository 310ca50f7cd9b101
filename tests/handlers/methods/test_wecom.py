"""Sign in with WeCom: members, outsiders, its own browser, and what WeCom refuses (contract.md 8.3, 8.5).

What is the same for all redirects is in test_redirects.py and test_panels.py. Red when a member gets another
identity for another case of the userid, when an outsider gets in who is refused, or is told as a member.
"""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from harness import CORP, Page, World
from redirecting import BACK, WECOM, redirecting, state_of
from wechat_browser import Browser, browsing

from sandbox.authorization.inside import user_agent
from sandbox.people import Person

Make = Callable[..., Any]


async def started(make: Make, **app: Any) -> tuple[World, Person]:
    world, person = await redirecting(make, WECOM, **({"app": app} if app else {}))
    return world, person


async def login(world: World) -> Page:
    return await world.login(method="wecom", return_url=BACK, state="s")


async def signed_in(world: World, person: Person) -> dict[str, str]:
    """Return what the site is told of a login."""
    async with browsing(world) as browser:
        return (await WECOM.sign_in(browser, await login(world), person)).answer


async def redeemed(world: World, person: Person) -> dict[str, Any]:
    return dict(await (await world.exchange((await signed_in(world, person))["code"])).json())


async def test_a_userid_in_another_case_is_the_same_person(make: Make) -> None:
    """Red when `of_member` does not fold."""
    world, person = await started(make)
    enterprises = world.authorization.enterprises
    enterprises.enroll(person, "ZhangSan")
    told = await redeemed(world, person)
    assert (told["outcome"], told["userid"], told["openid"]) == ("register", "zhangsan", None)
    assert (told["kind"], told["appid"], told["unionid"]) == ("wecom", CORP.corpid, None)
    body = {"user_id": "42", "registration": told["registration"]}
    assert (await world.site("POST", "/v1/bindings", body)).status == 201
    enterprises.enroll(person, "zhangSAN")
    told = await redeemed(world, person)
    assert (told["outcome"], told["user_id"], told["userid"]) == ("login", "42", "zhangsan")
    (binding,) = await world.bindings("42")
    assert (binding["userid"], binding["openid"], binding["kind"]) == ("zhangsan", None, "wecom")


async def test_an_outsider_is_refused_unless_allowed(make: Make) -> None:
    """Red when `WeComLogin.admits` admits every person."""
    world, person = await started(make)
    world.authorization.enterprises.dismiss(person)
    page = await login(world)
    async with browsing(world) as browser:
        told = (await WECOM.sign_in(browser, page, person)).answer
        assert told == {"from": "wechat", "error": "access_denied", "state": "s"}
        assert (await browser.reload()).answer == told
    ended = await page.poll()
    assert (ended["status"], ended["reason"], ended["code"]) == ("rejected", "declined", None)


async def test_a_refused_outsider_binds_nothing(make: Make) -> None:
    world, person = await started(make)
    world.authorization.enterprises.dismiss(person)
    page = await world.bind("42", method="wecom", return_url=BACK, state="s")
    async with browsing(world) as browser:
        assert (await WECOM.sign_in(browser, page, person)).answer["error"] == "access_denied"
    assert (await page.poll())["status"] == "rejected"
    assert await world.bindings("42") == []


async def test_an_allowed_outsider_is_told_by_openid_and_is_no_member(make: Make) -> None:
    """Red when an outsider's openid is stored as a userid would be."""
    world, person = await started(make, outsiders="allow")
    enterprises, openid = world.authorization.enterprises, person.openid(CORP.corpid)
    enterprises.dismiss(person)
    told = await redeemed(world, person)
    assert (told["openid"], told["userid"], told["kind"]) == (openid, None, "wecom")
    body = {"user_id": "42", "registration": told["registration"]}
    bound = await (await world.site("POST", "/v1/bindings", body)).json()
    assert (bound["openid"], bound["userid"]) == (openid, None)
    impostor = await world.person()
    enterprises.enroll(impostor, openid)  # openids are valid userids
    told = await redeemed(world, impostor)
    assert (told["outcome"], told["userid"], told["openid"]) == ("register", openid.lower(), None)
    assert (await redeemed(world, person))["user_id"] == "42"


async def test_a_person_who_refuses_is_told_to_the_site(make: Make) -> None:
    world, person = await started(make)
    page = await login(world)
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        assert (await browser.refuse(person)).answer["error"] == "access_denied"
    assert (await page.poll())["reason"] == "declined"


async def test_in_wecoms_browser_nothing_is_asked(make: Make) -> None:
    """Red when `leave` does not tell which browser it is."""
    world, person = await started(make)
    page, agent = await login(world), {"User-Agent": user_agent(person, wecom=True)}
    async with ClientSession(cookie_jar=CookieJar(unsafe=True), headers=agent) as http:
        visit = await Browser(world, http).open(page.made["authorize_url"])
    names = [part.partition("=")[0] for part in visit.way[1].partition("?")[2].partition("#")[0].split("&")]
    assert visit.way[1].startswith(f"{world.wechat}/connect/oauth2/authorize?appid={CORP.corpid}&")
    assert names == ["appid", "redirect_uri", "response_type", "scope", "state", "agentid"]
    assert visit.way[1].endswith("#wechat_redirect")
    assert (await world.exchange(visit.answer["code"])).status == 200


async def test_a_host_that_is_not_trusted_is_refused_by_wecom_and_uses_nothing_up(make: Make) -> None:
    world, person = await started(make)
    page, host = await login(world), "redirect_uri=http%3A%2F%2F"
    async with browsing(world) as browser:
        visit = await browser.open(page.made["authorize_url"])
        refused = await browser.open(visit.way[1].replace(f"{host}127.0.0.1", f"{host}evil.test"))
        assert "50001" in refused.text
        assert (await WECOM.sign_in(browser, page, person)).answer["code"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda world: setattr(world.authorization.enterprises, "trusted", set()), "temporarily_unavailable"),
        (lambda world: world.authorization.enterprises._codes.clear(), "invalid_request"),
        (lambda world: world.clock.advance(301), "invalid_request"),
    ],
    ids=["60020", "40029", "late"],
)
async def test_what_wecom_refuses_is_told_and_the_ticket_stays_open(
    make: Make, change: Callable[[World], None], error: str
) -> None:
    world, person = await redirecting(make, WECOM, tickets={"login_lifetime": 1800})
    page = await login(world)
    async with browsing(world) as browser:
        visit = await browser.open(page.made["authorize_url"])
        address = str(world.authorization.allow(person, visit.consent or "").address)
        change(world)
        assert (await browser.open(address)).answer["error"] == error
        world.authorization.enterprises.trusted = None
        assert (await page.poll())["status"] == "pending"
        assert (await WECOM.sign_in(browser, page, person)).answer["code"]


async def test_a_code_of_another_enterprise_names_no_person(make: Make) -> None:
    world, person = await started(make)
    enterprises, page = world.authorization.enterprises, await login(world)
    foreign = enterprises.code(type(CORP)(corpid="wwother", agentid=1, secret="x", domain="d"), person)
    async with browsing(world) as browser:
        state = state_of(await browser.open(page.made["authorize_url"]))
        told = (await browser.open(f"/oauth/site?code={foreign}&state={state}")).answer
    assert (told["error"], "code" in told) == ("invalid_request", False)


async def test_a_revoked_token_costs_no_login(make: Make) -> None:
    world, person = await started(make)
    assert "code" in await signed_in(world, person)
    world.authorization.enterprises.tokens.revoke(CORP)
    assert "code" in await signed_in(world, person)


async def test_a_member_has_no_unionid_and_joins_no_person(make: Make) -> None:
    world, person = await started(make)
    told = await redeemed(world, person)
    body = {"user_id": "42", "registration": told["registration"]}
    assert (await world.site("POST", "/v1/bindings", body)).status == 201
    page = await world.login(method="scan")
    await world.scan(person, page)
    code = (await page.until("confirmed"))["code"]
    assert (await (await world.exchange(code)).json())["outcome"] == "register"
