"""The shop with WeChat: a scan logs in, registers or connects, in the session that asked for it alone."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from harness import World
from shopper import Gateway, Open, Visit, scan

from sandbox.people import Person

WAITING, NOTICE, BOUND, JOIN, JOIN_NEW, OFFER = (
    f'data-testid="{name}"'
    for name in ("wechat-waiting", "notice", "binding", "login-join", "signup-join", "connect")
)


def whoami(name: str) -> str:
    return f'data-testid="whoami">{name}<'


async def test_a_scan_logs_in_who_is_bound(visit: Visit, town: World) -> None:
    person = await town.bound("anna")
    text = await visit.post("/login/wechat", code=await visit.code(town, person))
    assert whoami("anna") in text
    assert BOUND in text


async def test_a_scan_by_an_unbound_person_makes_an_account_without_a_password(visit: Visit, town: World) -> None:
    person = await town.person()
    text = await visit.post("/login/wechat", code=await visit.code(town, person))
    assert WAITING in text
    text = await visit.post("/signup", name="carol", password="")
    assert whoami("carol") in text
    assert BOUND in text
    await visit.post("/logout")
    assert whoami("carol") in await visit.post("/login/wechat", code=await visit.code(town, person))
    await visit.post("/logout")
    assert NOTICE in await visit.post("/login", name="carol", password="")


async def test_a_scan_by_an_unbound_person_is_connected_to_an_existing_account(visit: Visit, town: World) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    assert JOIN in await visit.get("/login")
    assert BOUND in await visit.post("/login", name="anna", password="anna", join="on")
    assert len(await town.bindings("anna")) == 1


async def test_an_abandoned_registration_makes_no_account_unasked(visit: Visit, town: World) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    assert BOUND not in await visit.post("/login", name="anna", password="anna")
    assert await town.bindings("anna") == []
    await visit.post("/logout")
    assert JOIN not in await visit.get("/login")


async def test_an_abandoned_registration_is_not_connected_to_the_next_account(visit: Visit, town: World) -> None:
    mallory = await town.person()
    await visit.post("/login/wechat", code=await visit.code(town, mallory))
    text = await visit.get("/signup")
    assert WAITING in text
    assert JOIN_NEW in text
    assert "checked" not in text
    assert BOUND not in await visit.post("/signup", name="carol", password="open sesame")
    assert await town.bindings(visit.session.user.id) == []
    await visit.post("/logout")
    assert whoami("carol") not in await visit.post("/login/wechat", code=await visit.code(town, mallory))


async def test_signing_up_may_connect_the_waiting_registration(visit: Visit, town: World) -> None:
    person = await town.person()
    await visit.post("/login/wechat", code=await visit.code(town, person))
    assert BOUND in await visit.post("/signup", name="carol", password="open sesame", join="on")
    await visit.post("/logout")
    assert whoami("carol") in await visit.post("/login/wechat", code=await visit.code(town, person))


@pytest.mark.parametrize("way", ["/signup", "/login"])
async def test_an_unticked_box_loses_no_wechat(visit: Visit, town: World, way: str) -> None:
    person = await town.person()
    await visit.post("/login/wechat", code=await visit.code(town, person))
    name = {"/signup": "carol", "/login": "anna"}[way]
    text = await visit.post(way, name=name, password=name)
    assert whoami(name) in text
    assert OFFER in text
    text = await visit.post("/settings/wechat/scanned")
    assert BOUND in text
    assert OFFER not in text
    await visit.post("/logout")
    assert whoami(name) in await visit.post("/login/wechat", code=await visit.code(town, person))


async def test_a_name_that_is_taken_loses_no_wechat(visit: Visit, town: World) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    text = await visit.post("/signup", name="anna", password="")
    assert NOTICE in text
    assert WAITING in text
    assert BOUND in await visit.post("/signup", name="carol", password="")


async def test_a_wechat_that_waits_is_connected_to_no_visitor(visit: Visit, town: World) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    assert JOIN in await visit.post("/settings/wechat/scanned")


async def bind_elsewhere(town: World, person: Person) -> None:
    """Let the person register in another browser, which is faster."""
    told = await (await town.exchange(await scan(town, person))).json()
    body = {"user_id": "elsewhere", "registration": told["registration"]}
    assert (await town.site("POST", "/v1/bindings", body)).ok


async def test_an_account_without_any_way_to_log_in_is_not_made(visit: Visit, town: World) -> None:
    person = await town.person()
    await visit.post("/login/wechat", code=await visit.code(town, person))
    await bind_elsewhere(town, person)
    text = await visit.post("/signup", name="carol", password="")
    assert NOTICE in text
    assert whoami("carol") not in text
    assert whoami("carol") in await visit.post("/signup", name="carol", password="open sesame")


async def test_an_account_with_a_password_stays_when_the_wechat_is_refused(visit: Visit, town: World) -> None:
    person = await town.person()
    await visit.post("/login/wechat", code=await visit.code(town, person))
    await bind_elsewhere(town, person)
    text = await visit.post("/signup", name="carol", password="open sesame", join="on")
    assert whoami("carol") in text
    assert NOTICE in text
    assert BOUND not in text


async def test_a_wrong_password_connects_nothing_and_can_be_mended(visit: Visit, town: World) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    assert JOIN in await visit.post("/login", name="anna", password="ben", join="on")
    assert await town.bindings("anna") == []
    assert BOUND in await visit.post("/login", name="anna", password="anna", join="on")


async def test_a_waiting_wechat_ends_with_the_session(visit: Visit, town: World) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    assert WAITING not in await visit.post("/logout")
    assert BOUND not in await visit.post("/login", name="anna", password="anna", join="on")


async def test_an_account_that_has_a_wechat_gets_no_second_one_and_is_told(visit: Visit, town: World) -> None:
    await town.bound("anna")
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    text = await visit.post("/login", name="anna", password="anna", join="on")
    assert whoami("anna") in text
    assert NOTICE in text
    assert OFFER not in text
    assert len(await town.bindings("anna")) == 1


@pytest.mark.parametrize("fields", [{"state": "another"}, {}, {"state": "né"}], ids=str)
async def test_a_code_with_another_state_or_none_does_not_log_in(
    visit: Visit, town: World, fields: dict[str, str]
) -> None:
    await visit.get("/login")
    before = visit.cookie
    text = await visit.post("/login/wechat", code=await scan(town, await town.bound("anna"), **fields))
    assert NOTICE in text
    assert whoami("anna") not in text
    assert visit.cookie == before


async def test_a_registration_with_another_state_is_not_kept(visit: Visit, town: World) -> None:
    text = await visit.post("/login/wechat", code=await scan(town, await town.person(), state="another"))
    assert WAITING not in text


async def test_a_code_signs_in_once(visit: Visit, town: World) -> None:
    code = await visit.code(town, await town.bound("anna"))
    await visit.post("/login/wechat", code=code)
    await visit.post("/logout")
    assert whoami("anna") not in await visit.post("/login/wechat", code=code)


async def test_signing_in_by_scan_changes_the_session(visit: Visit, town: World) -> None:
    code = await visit.code(town, await town.bound("anna"))
    before = visit.cookie
    await visit.post("/login/wechat", code=code)
    assert visit.cookie != before
    assert before not in visit.visitors.by_cookie


async def test_an_account_that_a_restart_forgot_is_disconnected_and_can_register_anew(
    visit: Visit, town: World
) -> None:
    person = await town.bound("before")
    assert NOTICE in await visit.post("/login/wechat", code=await visit.code(town, person))
    assert await town.bindings("before") == []
    assert WAITING in await visit.post("/login/wechat", code=await visit.code(town, person))


async def portal(visit: Visit, town: World) -> dict[str, Any]:
    """Follow the button to the portal; return what the portal is told."""
    answer = await visit.http.post("/settings/wechat", allow_redirects=False)
    assert answer.status == 303
    token = answer.headers["Location"].removeprefix(f"{town.url}/portal/open/")
    session, origin = token.partition(".")[0], {"Origin": f"http://{visit.http.host}:{visit.http.port}"}
    opened = await town.call(
        "POST", f"/v1/portal-sessions/{session}/open", headers={"Authorization": f"Bearer {token}", **origin}
    )
    bearer = {"Authorization": f"Bearer {(await opened.json())['secret']}", **origin}
    told: dict[str, Any] = await (await town.call("GET", f"/v1/portal-sessions/{session}", headers=bearer)).json()
    return told


async def test_the_portal_is_for_the_account_and_leads_back(visit: Visit, town: World) -> None:
    await visit.post("/login", name="anna", password="anna")
    told = await portal(visit, town)
    assert (told["account_name"], told["only_login"], told["lang"]) == ("anna", False, "en")
    assert told["return_url"].rstrip("/") == f"http://{visit.http.host}:{visit.http.port}"


async def test_the_portal_speaks_the_language_that_was_asked_for(visit: Visit, town: World) -> None:
    await visit.get("/login?lang=zh")
    await visit.post("/login", name="anna", password="anna")
    assert (await portal(visit, town))["lang"] == "zh"


async def test_the_portal_is_told_when_wechat_is_the_only_way_in(visit: Visit, town: World) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    await visit.post("/signup", name="carol", password="")
    told = await portal(visit, town)
    assert told["only_login"] is True
    assert [one["account"] for one in told["bindings"]] == ["main"]


async def test_the_portal_is_told_that_a_number_is_another_way_in(
    visit: Visit, town: World, gateway: Gateway
) -> None:
    await visit.post("/login/wechat", code=await visit.code(town, await town.person()))
    await visit.post("/phone", number="13812345678")
    await visit.post("/phone/code", code=gateway.code, join="on")
    told = await portal(visit, town)
    assert (told["account_name"], told["only_login"]) == ("138****5678", False)


async def test_the_portal_is_for_who_is_signed_in(visit: Visit) -> None:
    answer = await visit.http.post("/settings/wechat", allow_redirects=False)
    assert answer.headers["Location"].startswith("/")


async def test_the_shop_goes_on_while_scanbind_is_away(alone: Visit) -> None:
    assert whoami("anna") in await alone.post("/login", name="anna", password="anna")
    assert NOTICE in await alone.post("/settings/wechat")
    await alone.post("/logout")
    assert NOTICE in await alone.post("/login/wechat", code="c")


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("body", ["<h1>Bad Gateway</h1>", "", "\xff"])
async def test_an_answer_of_another_server_counts_as_an_unreachable_scanbind(
    open_shop: Open, body: str, status: int
) -> None:
    async def gateway(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body.encode("latin-1"), content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", gateway)
    async with TestServer(app) as server:
        visit = await open_shop(str(server.make_url("/")))
        assert whoami("anna") in await visit.post("/login", name="anna", password="anna")
        assert NOTICE in await visit.post("/settings/wechat")


async def test_the_secret_does_not_follow_a_redirect(open_shop: Open) -> None:
    asked: list[str] = []

    async def away(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", away)
    async with TestServer(app) as server:
        visit = await open_shop(str(server.make_url("/")))
        await visit.post("/login/wechat", code="c")
    assert asked == ["/v1/exchange"]
