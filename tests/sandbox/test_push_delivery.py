"""A push is delivered three times at most, and the chat shows its outcome (wechat-protocol.md 3.4)."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from sandbox.chat import FAULT
from sandbox.emulator import Sandbox
from sandbox.faults import FORGERIES, Fault


async def a_follower(sandbox: Sandbox) -> Any:
    user = await sandbox.create_user("Anna")
    await sandbox.follow(user, by_search=True)
    return user


async def lines(sandbox: Sandbox, user: Any) -> list[tuple[str, str]]:
    return [(message.side, message.text) for message in await sandbox.chat(user)]


async def test_an_answer_is_shown_and_the_push_is_not_repeated(plain: Sandbox, service: Any) -> None:
    service.replies("hello")
    user = await a_follower(plain)
    assert len(service.seen) == 1
    assert plain.deliveries[-1].state == "answered"
    assert await lines(plain, user) == [("account", "hello")]


async def test_nothing_said_shows_nothing(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    assert await lines(plain, user) == []


async def test_a_failing_service_gets_three_identical_deliveries(plain: Sandbox, service: Any) -> None:
    service.says("busy", status=503)
    user = await a_follower(plain)
    assert len(service.seen) == 3
    assert service.seen[0] == service.seen[1] == service.seen[2]
    delivery = plain.deliveries[-1]
    assert (delivery.state, delivery.flaw) == ("faulty", "HTTP 503")
    assert await lines(plain, user) == [("wechat", FAULT)]


async def test_deliveries_keep_their_distance(build: Callable[..., Sandbox], service: Any) -> None:
    service.says("busy", status=503)
    async with build(mode="plain", clock=asyncio.get_running_loop().time) as sandbox:
        await a_follower(sandbox)
        times = [attempt.at for attempt in sandbox.deliveries[-1].attempts]  # when they left: they may arrive late
    assert [later - sooner >= 0.015 for sooner, later in pairwise(times)] == [True, True]


async def test_a_service_that_recovers_is_heard(plain: Sandbox, service: Any) -> None:
    async def answer(seen: Any) -> web.Response:
        return web.Response(status=200 if len(service.seen) == 3 else 503)

    service.answer = answer
    user = await a_follower(plain)
    assert [attempt.status for attempt in plain.deliveries[-1].attempts] == [503, 503, 200]
    assert plain.deliveries[-1].state == "answered"
    assert await lines(plain, user) == []


async def test_a_slow_service_is_cut_off(build: Callable[..., Sandbox], service: Any) -> None:
    never = asyncio.Event()

    async def answer(seen: Any) -> web.Response:
        await never.wait()
        raise AssertionError

    service.answer = answer
    async with build(mode="plain", answer_within=0.05) as sandbox:
        user = await a_follower(sandbox)
        assert sandbox.deliveries[-1].flaw == "no answer in time"
        assert len(service.seen) == 3
        assert await lines(sandbox, user) == [("wechat", FAULT)]


async def test_no_service_at_all_is_a_fault(plain: Sandbox, unused_tcp_port: int) -> None:
    plain.point(f"http://127.0.0.1:{unused_tcp_port}/")
    user = await a_follower(plain)
    assert "ClientConnectorError" in str(plain.deliveries[-1].flaw)
    assert await lines(plain, user) == [("wechat", FAULT)]


@pytest.mark.parametrize("body", ["ok", '{"errcode":0}'])
async def test_a_bad_answer_is_a_fault_and_is_not_repeated(plain: Sandbox, service: Any, body: str) -> None:
    service.says(body)
    user = await a_follower(plain)
    assert len(service.seen) == 1
    assert plain.deliveries[-1].state == "faulty"
    assert plain.deliveries[-1].flaw
    assert await lines(plain, user) == [("wechat", FAULT)]


async def test_an_endless_answer_is_a_fault(plain: Sandbox, service: Any) -> None:
    service.replies("x" * 70_000)
    await a_follower(plain)
    assert plain.deliveries[-1].flaw == "longer than 64 KiB"


async def test_a_redirect_is_no_answer(plain: Sandbox, service: Any) -> None:
    async def answer(seen: Any) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    service.answer = answer
    await a_follower(plain)
    assert plain.deliveries[-1].flaw == "HTTP 302"


async def test_a_reply_to_an_unsubscribe_is_a_fault_that_is_not_shown_in_the_chat(
    plain: Sandbox, service: Any
) -> None:
    user = await a_follower(plain)
    service.replies("goodbye")
    delivery = await plain.unfollow(user)
    assert delivery.state == "faulty"
    assert "unsubscribe" in str(delivery.flaw)
    assert await lines(plain, user) == []


async def test_twice_delivers_again_after_the_answer(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    service.replies("hello")
    delivery = await plain.say(user, "hi", fault=Fault.TWICE)
    assert service.seen[-1] == service.seen[-2]
    assert [attempt.reply for attempt in delivery.attempts] == ["hello", "hello"]
    assert await lines(plain, user) == [("person", "hi"), ("account", "hello")]


async def test_at_once_delivers_both_before_any_answer(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    both = asyncio.Barrier(2)

    async def answer(seen: Any) -> web.Response:
        await both.wait()
        return web.Response(body=b"success")

    service.answer = answer
    delivery = await plain.say(user, "hi", fault=Fault.AT_ONCE)
    assert [attempt.status for attempt in delivery.attempts] == [200, 200]


async def test_late_is_later_than_what_happened_after(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    late = await plain.say(user, "first", fault=Fault.LATE, wait=False)
    await plain.say(user, "second")
    assert len(service.seen) == 2
    await late.finished()
    assert b"second" in service.seen[1].body
    assert b"first" in service.seen[2].body


async def test_out_of_order_goes_after_the_next(plain: Sandbox, service: Any) -> None:
    user = await a_follower(plain)
    held = await plain.say(user, "first", fault=Fault.OUT_OF_ORDER)
    assert held.state == "held"
    await plain.say(user, "second")
    assert (await held.finished()).state == "answered"
    assert b"second" in service.seen[1].body
    assert b"first" in service.seen[2].body


@pytest.mark.parametrize("fault", sorted(FORGERIES))
@pytest.mark.parametrize("status", [200, 403])
async def test_a_forged_push_has_no_effect_in_the_sandbox(
    build: Callable[..., Sandbox], service: Any, fault: Fault, status: int
) -> None:
    async with build() as sandbox:
        user = await a_follower(sandbox)
        service.says("success", status=status)
        typed = await sandbox.say(user, "hi", fault=fault)
        left = await sandbox.unfollow(user, fault=fault)
        assert len(service.seen) == 3
        assert typed.state == left.state == ("answered" if status == 200 else "refused")
        assert sandbox.contact(user).following
        assert await lines(sandbox, user) == []


async def test_closing_ends_what_is_under_way(build: Callable[..., Sandbox], service: Any) -> None:
    never = asyncio.Event()

    async def answer(seen: Any) -> web.Response:
        await never.wait()
        raise AssertionError

    service.answer = answer
    async with build(mode="plain") as sandbox:
        user = await sandbox.create_user("Anna")
        delivery = await sandbox.follow(user, wait=False)
        await service.arrived.wait()
    assert (await delivery.finished()).state == "faulty"


async def test_verification_wants_the_echostr(plain: Sandbox, service: Any) -> None:
    async def answer(seen: Any) -> web.Response:
        return web.Response(text=seen.query["echostr"])

    assert await plain.verify() == "the answer is not the echostr"
    service.answer = answer
    assert await plain.verify() is None
    assert service.seen[-1].method == "GET"
    assert set(service.seen[-1].query) == {"signature", "timestamp", "nonce", "echostr"}


async def test_verification_of_no_service_says_so(plain: Sandbox, unused_tcp_port: int) -> None:
    plain.point(f"http://127.0.0.1:{unused_tcp_port}/")
    assert "no answer" in str(await plain.verify())
