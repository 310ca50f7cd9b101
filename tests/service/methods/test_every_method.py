"""Every method to sign in ends in the same tickets, statuses, exchange, registration and bindings.

A new method adds its driver to tests/lib/sign_in.py. Red when a method shows one ticket as another, does not ask
what `confirm` says, or finds other people than those who used it.
Covers: service.methods.scan, service.methods.links.
"""

from collections.abc import Callable
from typing import Any

import pytest
from harness import Page, World, problem
from sign_in import DRIVERS, Driver

from models.confirmation import Answer
from sandbox.people import Person

Make = Callable[..., Any]
MOVING = {"takeover": "move", "rebind": "replace"}


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def method(request: pytest.FixtureRequest) -> Driver:
    driver: Driver = request.param
    return driver


async def signed_in(method: Driver, world: World, person: Person, page: Page) -> dict[str, Any]:
    """Identify *person*, answer rightly, and return the ended ticket."""
    assert await method.identify(world, person, page)
    assert await method.answer(world, person, page, Answer.YES)
    return await page.until("confirmed")


async def bound(method: Driver, world: World, user_id: str) -> Person:
    person = await world.person()
    ended = await signed_in(method, world, person, await world.bind(user_id))
    assert ended["outcome"] == "bound"
    return person


async def redeemed(world: World, ended: dict[str, Any]) -> dict[str, Any]:
    response = await world.exchange(ended["code"])
    assert response.status == 200, await response.text()
    return dict(await response.json())


async def test_a_bound_person_logs_in(make: Make, method: Driver) -> None:
    world = await make(**method.configuration())
    person = await bound(method, world, "anna")
    ended = await signed_in(method, world, person, await world.login(state="xyz"))
    assert ended["outcome"] == "login"
    told = await redeemed(world, ended)
    assert (told["outcome"], told["user_id"], told["state"]) == ("login", "anna", "xyz")
    assert (ended["method"], told["method"]) == (method.name, method.name)
    await problem(await world.exchange(ended["code"]), 400, "invalid-code")


async def test_a_new_person_registers_and_is_known_from_then_on(make: Make, method: Driver) -> None:
    world = await make(**method.configuration())
    person = await world.person()
    told = await redeemed(world, await signed_in(method, world, person, await world.login()))
    assert told["outcome"] == "register"
    body = {"user_id": "new", "registration": told["registration"]}
    assert (await world.site("POST", "/v1/bindings", body)).status == 201
    again = await redeemed(world, await signed_in(method, world, person, await world.login()))
    assert (again["outcome"], again["user_id"], again["openid"]) == ("login", "new", told["openid"])


@pytest.mark.parametrize(
    ("answer", "reason"), [(Answer.NOT_ME, "declined"), (Answer.WRONG_NUMBER, "wrong_number")]
)
async def test_a_refusal_ends_the_ticket_and_binds_nothing(
    make: Make, method: Driver, answer: Answer, reason: str
) -> None:
    world = await make(**method.configuration())
    page, person = await world.bind("anna"), await world.person()
    await method.identify(world, person, page)
    assert await method.answer(world, person, page, answer)
    assert (await page.until("rejected"))["reason"] == reason
    assert await world.bindings("anna") == []


async def test_a_second_person_changes_nothing(make: Make, method: Driver) -> None:
    world = await make(**method.configuration())
    page, first, second = await world.bind("anna"), await world.person(), await world.person()
    await method.identify(world, first, page)
    before = await page.until("scanned")
    assert await method.identify(world, second, page)
    await method.answer(world, second, page, Answer.YES)
    assert await page.poll() | {"expires_in": 0} == before | {"expires_in": 0}
    await method.answer(world, first, page, Answer.YES)
    assert (await page.until("confirmed"))["outcome"] == "bound"
    (binding,) = await world.bindings("anna")
    assert binding["openid"] == first.openid(binding["appid"])


async def test_a_conflict_refuses_the_bind(make: Make, method: Driver) -> None:
    world = await make(**method.configuration())
    person = await bound(method, world, "anna")
    for page, whose, reason in (
        (await world.bind("ben"), person, "wechat_taken"),
        (await world.bind("anna"), await world.person(), "user_taken"),
    ):
        await method.identify(world, whose, page)
        await method.answer(world, whose, page, Answer.YES)
        assert (await page.until("rejected"))["reason"] == reason
    assert [len(await world.bindings(user)) for user in ("anna", "ben")] == [1, 0]


async def test_a_client_may_allow_what_would_be_a_conflict(make: Make, method: Driver) -> None:
    world = await make(**method.configuration(**MOVING))
    person, other = await bound(method, world, "anna"), await bound(method, world, "ben")
    ended = await signed_in(method, world, person, await world.bind("ben"))
    assert ended["outcome"] == "bound"
    assert [len(await world.bindings(user)) for user in ("anna", "ben")] == [0, 1]
    told = await redeemed(world, await signed_in(method, world, other, await world.login()))
    assert told["outcome"] == "register"


async def test_an_expired_ticket_takes_no_answer(make: Make, method: Driver) -> None:
    world = await make(**method.configuration())
    late, answered_late = await world.bind("anna"), await world.bind("ben")
    person, other = await world.person(), await world.person()
    await method.identify(world, other, answered_late)
    shown = (await answered_late.until("scanned"))["match"]
    world.clock.advance(late.made["expires_in"] + 1)
    await method.identify(world, person, late)
    await method.answer(world, other, answered_late, Answer.YES, match=shown)
    assert [(await page.poll())["status"] for page in (late, answered_late)] == ["expired"] * 2
    assert [await world.bindings(user) for user in ("anna", "ben")] == [[], []]


@pytest.mark.parametrize("identified", [False, True])
async def test_a_cancelled_ticket_stays_cancelled(make: Make, method: Driver, identified: bool) -> None:
    world = await make(**method.configuration())
    page, person = await world.bind("anna"), await world.person()
    if identified:
        await method.identify(world, person, page)
    assert (await page.raw("DELETE")).status == 204
    assert await method.identify(world, person, page)
    assert (await page.poll())["status"] == "cancelled"
    assert await world.bindings("anna") == []


@pytest.mark.parametrize("identified", [False, True])
async def test_a_lost_redis_costs_at_most_another_try(make: Make, method: Driver, identified: bool) -> None:
    world = await make(**method.configuration())
    page, person = await world.bind("anna"), await world.person()
    if identified:
        await method.identify(world, person, page)
    await world.redis.flushall()
    ended = await signed_in(method, world, person, page)
    await world.redis.flushall()
    assert ended["outcome"] == "bound"
    assert len(await world.bindings("anna")) == 1
    assert (await page.poll())["outcome"] == "bound"


async def test_what_a_ticket_shows_is_of_this_ticket_alone(make: Make, method: Driver) -> None:
    world = await make(**method.configuration())
    (one, other), person = [await world.bind("anna"), await world.bind("ben")], await world.person()
    await signed_in(method, world, person, other)
    assert (await one.poll())["status"] == "pending"
    assert [len(await world.bindings(user)) for user in ("anna", "ben")] == [0, 1]
