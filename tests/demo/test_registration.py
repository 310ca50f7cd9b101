"""Registration by phone: red when a scanned WeChat is lost or bound unasked, or a number is not proved."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from harness import World
from shopper import Clock, Gateway, Visit

from demo.phones import LIFETIME, MINUTE, TRIES
from demo.users import READY
from sandbox.people import Person

NEW = "138 1234 5678"
WAITING, NOTICE, BOUND, CODE, JOIN, OFFER = (
    f'data-testid="{name}"'
    for name in ("wechat-waiting", "notice", "binding", "phone-code", "phone-join", "connect")
)


def whoami(name: str) -> str:
    return f'data-testid="whoami">{name}<'


async def scanned(visit: Visit, town: World) -> Person:
    """Scan with the WeChat of a new person, which leads to the page that asks for the number."""
    person = await town.person()
    text = await visit.post("/login/wechat", code=await visit.code(town, person))
    assert WAITING in text
    assert 'data-testid="phone-number"' in text
    return person


async def logs_in(visit: Visit, town: World, person: Person) -> str:
    """Return the page after a login by scan."""
    await visit.post("/logout")
    return await visit.post("/login/wechat", code=await visit.code(town, person))


async def test_a_scan_and_a_new_number_make_an_account_with_the_wechat(
    visit: Visit, town: World, gateway: Gateway
) -> None:
    person = await scanned(visit, town)
    text = await visit.post("/phone", number=NEW)
    assert CODE in text
    assert gateway.sent[-1]["number"] == "13812345678"
    text = await visit.post("/phone/code", code=gateway.code, join="on")
    assert whoami("138****5678") in text
    assert BOUND in text
    assert whoami("138****5678") in await logs_in(visit, town, person)
    assert len(visit.names) == 3


async def test_a_scan_and_the_number_of_an_account_find_that_account(
    visit: Visit, town: World, gateway: Gateway
) -> None:
    person = await scanned(visit, town)
    await visit.post("/phone", number=READY["anna"])
    text = await visit.post("/phone/code", code=gateway.code, join="on")
    assert whoami("anna") in text
    assert BOUND in text
    assert whoami("anna") in await logs_in(visit, town, person)
    assert visit.names == ["anna", "ben"]


async def test_the_password_is_the_other_proof_of_a_number(visit: Visit, town: World) -> None:
    await scanned(visit, town)
    await visit.post("/phone", number=READY["anna"])
    text = await visit.post("/login", name="139 0000 0001", password="anna", join="on")
    assert whoami("anna") in text
    assert BOUND in text


async def test_an_account_with_another_wechat_tells_so_and_takes_the_new_one_after_that(
    visit: Visit, town: World
) -> None:
    await scanned(visit, town)
    await visit.post("/login", name="anna", password="anna", join="on")
    await visit.post("/logout")
    person = await scanned(visit, town)
    assert "was not connected" in await visit.post("/login", name="anna", password="anna", join="on")
    await visit.forms.ask(visit.session, "DELETE", "bindings/anna")
    assert BOUND in await visit.post("/settings/wechat/scanned")
    assert whoami("anna") in await logs_in(visit, town, person)


async def test_a_number_signs_in_without_wechat(alone: Visit, gateway: Gateway) -> None:
    await alone.post("/phone", number=READY["ben"])
    assert whoami("ben") in await alone.post("/phone/code", code=gateway.code)


@pytest.mark.parametrize("number", [NEW, READY["anna"]], ids=["new", "anna's"])
async def test_an_unticked_box_binds_nothing_and_loses_nothing(
    visit: Visit, town: World, gateway: Gateway, number: str
) -> None:
    person = await scanned(visit, town)
    text = await visit.post("/phone", number=number)
    assert JOIN in text
    assert "checked" not in text
    text = await visit.post("/phone/code", code=gateway.code)
    assert BOUND not in text
    assert OFFER in text
    assert BOUND in await visit.post("/settings/wechat/scanned")
    assert "whoami" in await logs_in(visit, town, person)


async def wrong_number(visit: Visit) -> None:
    assert NOTICE in await visit.post("/phone", number="12345")


async def wrong_code(visit: Visit) -> None:
    await visit.post("/phone", number=NEW)
    assert NOTICE in await visit.post("/phone/code", code="no code")


async def five_wrong_codes(visit: Visit) -> None:
    for _ in range(TRIES + 1):
        await wrong_code(visit)


async def wrong_password(visit: Visit) -> None:
    assert NOTICE in await visit.post("/login", name="anna", password="ben", join="on")


async def taken_name(visit: Visit) -> None:
    assert NOTICE in await visit.post("/signup", name="anna", password="")


async def other_pages(visit: Visit) -> None:
    for path in ("/phone", "/login", "/signup", "/ways", "/", "/settings"):
        await visit.get(path)


MISTAKES = (wrong_number, wrong_code, five_wrong_codes, wrong_password, taken_name, other_pages)


async def registers(visit: Visit, town: World, gateway: Gateway, person: Person) -> None:
    assert WAITING in await visit.post("/phone", number=NEW)
    assert BOUND in await visit.post("/phone/code", code=gateway.code, join="on")
    assert whoami("138****5678") in await logs_in(visit, town, person)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
async def test_no_mistake_loses_the_scanned_wechat(
    visit: Visit, town: World, gateway: Gateway, clock: Clock, mistake: Any
) -> None:
    person = await scanned(visit, town)
    await mistake(visit)
    clock.now += MINUTE
    await registers(visit, town, gateway, person)


async def test_a_late_code_loses_no_scanned_wechat(
    visit: Visit, town: World, gateway: Gateway, clock: Clock
) -> None:
    person = await scanned(visit, town)
    await visit.post("/phone", number=NEW)
    clock.now += LIFETIME
    text = await visit.post("/phone/code", code=gateway.code, join="on")
    assert NOTICE in text
    assert CODE not in text
    await registers(visit, town, gateway, person)


async def test_a_gateway_that_fails_loses_no_scanned_wechat(
    visit: Visit, town: World, gateway: Gateway, clock: Clock
) -> None:
    person = await scanned(visit, town)
    gateway.status = 500
    text = await visit.post("/phone", number=NEW)
    assert NOTICE in text
    assert CODE not in text
    gateway.status = 200
    clock.now += MINUTE
    await registers(visit, town, gateway, person)


async def test_a_closed_tab_loses_the_scanned_wechat_only_when_its_time_is_over(
    visit: Visit, town: World, clock: Clock
) -> None:
    await scanned(visit, town)
    clock.now += 899
    assert WAITING in await visit.get("/phone")
    clock.now += 1
    text = await visit.get("/phone")
    assert WAITING not in text
    assert "Scan again" in text
    assert "Scan again" not in await visit.get("/phone")


async def test_a_code_after_the_time_of_the_wechat_signs_in_and_says_so(
    visit: Visit, town: World, gateway: Gateway, clock: Clock
) -> None:
    await scanned(visit, town)
    clock.now += 800
    await visit.post("/phone", number=NEW)
    clock.now += 100
    text = await visit.post("/phone/code", code=gateway.code, join="on")
    assert whoami("138****5678") in text
    assert "Scan again" in text
    assert BOUND not in text


@pytest.fixture
async def other(alone: Visit) -> AsyncIterator[Visit]:
    """Another browser at the same shop."""
    async with ClientSession(alone.http.make_url("/"), cookie_jar=CookieJar(unsafe=True)) as http:
        yield replace(alone, http=http)


async def test_a_code_is_of_no_use_in_another_browser(alone: Visit, other: Visit, gateway: Gateway) -> None:
    await alone.post("/phone", number=READY["anna"])
    await other.get("/phone")
    assert "whoami" not in await other.post("/phone/code", code=gateway.code)
    assert whoami("anna") in await alone.post("/phone/code", code=gateway.code)


async def test_guesses_in_another_browser_use_up_no_tries(alone: Visit, other: Visit, gateway: Gateway) -> None:
    await alone.post("/phone", number=READY["anna"])
    for _ in range(TRIES):
        await other.post("/phone/code", code="000000")
    assert whoami("anna") in await alone.post("/phone/code", code=gateway.code)


async def test_a_code_ends_with_the_session_and_is_used_once(alone: Visit, gateway: Gateway) -> None:
    await alone.post("/phone", number=READY["anna"])
    before = alone.cookie
    assert whoami("anna") in await alone.post("/phone/code", code=gateway.code)
    assert alone.cookie != before
    await alone.post("/logout")
    assert "whoami" not in await alone.post("/phone/code", code=gateway.code)


async def test_a_new_code_ends_the_one_before(alone: Visit, gateway: Gateway, clock: Clock) -> None:
    await alone.post("/phone", number=READY["anna"])
    first = gateway.code
    clock.now += MINUTE
    await alone.post("/phone", number=READY["anna"])
    assert first != gateway.code  # by chance red once in a million runs
    assert "whoami" not in await alone.post("/phone/code", code=first)


async def test_a_gateway_that_fails_keeps_the_code_before(alone: Visit, gateway: Gateway, clock: Clock) -> None:
    await alone.post("/phone", number=READY["anna"])
    first = gateway.code
    clock.now += MINUTE
    gateway.status = 500
    assert NOTICE in await alone.post("/phone", number=READY["anna"])
    assert whoami("anna") in await alone.post("/phone/code", code=first)


async def test_asking_too_often_is_told_and_keeps_the_code(alone: Visit, gateway: Gateway) -> None:
    await alone.post("/phone", number=READY["anna"])
    text = await alone.post("/phone", number=READY["anna"])
    assert NOTICE in text
    assert CODE in text
    assert len(gateway.sent) == 1
    assert whoami("anna") in await alone.post("/phone/code", code=gateway.code)


async def test_no_answer_tells_whether_a_number_has_an_account(
    alone: Visit, gateway: Gateway, clock: Clock
) -> None:
    """Red when a page differs, before the code is right, between a number with and one without an account."""
    told = []
    for number in (READY["anna"], "13900000009"):
        pages = [await alone.post("/phone", number=number), await alone.post("/phone", number=number)]
        pages += [await alone.post("/phone/code", code="wrong"), await alone.post("/phone/code", code="")]
        pages += [await alone.post("/login", name=number, password="wrong")]
        pages += [sms["text"].replace(gateway.code, "") for sms in gateway.sent]
        told.append([page.replace(number, "") for page in pages])
        gateway.sent.clear()
        await alone.post("/logout")
    states = [[page.partition("state=")[0] for page in pages] for pages in told]
    assert states[0] == states[1]


@pytest.mark.parametrize("number", ["\"><script>alert('1')</script>", "[[a|b]]$phone", "1" * 33], ids=ascii)
async def test_what_was_typed_as_number_is_shown_again_escaped(alone: Visit, number: str) -> None:
    text = await alone.post("/phone", number=number)
    assert NOTICE in text
    assert "<script>alert" not in text
    assert "$phone" not in text or number == "[[a|b]]$phone"


async def test_a_number_belongs_to_one_account(alone: Visit, gateway: Gateway, clock: Clock) -> None:
    for _ in range(2):
        await alone.post("/phone", number=NEW)
        assert whoami("138****5678") in await alone.post("/phone/code", code=gateway.code)
        await alone.post("/logout")
        clock.now += MINUTE
    assert len(alone.names) == 3
    alone.forms.users.by_id.popitem()
    assert await alone.forms.users.add("x", number=READY["anna"]) is None


async def test_an_account_by_phone_has_no_password(alone: Visit, gateway: Gateway) -> None:
    await alone.post("/phone", number=NEW)
    await alone.post("/phone/code", code=gateway.code)
    await alone.post("/logout")
    for name in (NEW, "138****5678"):
        assert NOTICE in await alone.post("/login", name=name, password="")


@pytest.mark.parametrize("name", ["", "unknown", "12345"])
async def test_an_account_without_a_number_is_found_by_its_name_alone(alone: Visit, name: str) -> None:
    """Red when what is no number finds the first account that has none."""
    await alone.post("/signup", name="carol", password="open sesame")
    await alone.post("/logout")
    assert NOTICE in await alone.post("/login", name=name, password="open sesame")
