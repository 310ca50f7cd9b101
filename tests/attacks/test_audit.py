"""The audit log contains what happened, in order, and nothing that helps an attacker who reads it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from harness import ORIGIN, World, client
from harness import world as make_world
from portal_client import visit

from service.cli.main import main

Make = Callable[..., Any]
Record = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Record:
    """Read the record as an operator does, once it has so many lines: what is noted is written a little later."""

    async def read(*more: str, lines: int) -> list[dict[str, Any]]:
        command = ["audit", "--config", str(tmp_path / "config.yaml"), "--json", *more]
        async with asyncio.timeout(10):
            while True:
                assert await asyncio.to_thread(main, command) == 0
                told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
                if len(told) >= lines:
                    return told

    return read


async def told(record: Record, *more: str, expected: list[tuple[str, str | None]]) -> list[dict[str, Any]]:
    lines = await record(*more, lines=len(expected))
    assert [(line["event"], line.get("detail")) for line in lines] == expected
    return lines


async def test_a_login_is_recorded_from_the_code_to_the_exchange(make: Make, record: Record) -> None:
    """Red when any one of the calls of `note` and `write_entries` is left out."""
    world: World = await make(clients={"shop": client("shop", confirm="match")})
    page, person = await world.login(), await world.person()
    await world.scan(person, page)
    await world.say(person, (await page.poll())["match"])
    code = (await page.poll())["code"]
    assert (await world.exchange(code)).status == 200
    assert (await world.exchange(code)).status == 400
    lines = await told(
        record,
        "--client",
        "shop",
        expected=[
            ("ticket_made", "login"),
            ("scanned", "pending"),
            ("answered", "register"),
            ("exchanged", "register"),
            ("exchange_refused", None),
        ],
    )
    assert {line["ticket"] for line in lines} == {page.id}
    assert {line.get("openid") for line in lines[1:4]} == {f"…{world.sandbox.contact(person).openid[-8:]}"}


async def test_bindings_are_recorded_as_they_come_move_and_go(make: Make, record: Record) -> None:
    """Red when `_remove` does not record."""
    world: World = await make(clients={"shop": client("shop", takeover="move")})
    person = await world.bound("42")
    await world.scan(person, await world.bind("43"))
    assert (await world.site("DELETE", "/v1/bindings/43")).status == 204
    await told(
        record,
        "--openid",
        world.sandbox.contact(person).openid,
        expected=[
            ("scanned", "pending"),
            ("answered", "bound"),
            ("bound", "ticket"),
            ("scanned", "pending"),
            ("answered", "bound"),
            ("moved", "ticket"),
            ("bound", "ticket"),
            ("disconnected", "site"),
        ],
    )
    await told(record, "--user-id", "42", "--event", "moved", expected=[("moved", "ticket")])


async def test_refusals_strangers_and_cancellations_are_recorded(make: Make, record: Record) -> None:
    """Red when an ending is inserted without its line."""
    world: World = await make(clients={"shop": client("shop", confirm="tap")})
    person, stranger = await world.person(), await world.person()
    page, other = await world.login(), await world.login()
    await world.scan(person, page)
    await world.scan(stranger, page)
    await world.say(person, "Not me ZZZZ")  # of no ticket of theirs: no answer
    assert (await other.raw("DELETE")).status == 204
    expected = [("ticket_made", "login"), ("scanned", "pending"), ("scanned", "taken by another openid")]
    await told(record, "--ticket", page.id, expected=expected)
    await told(record, "--ticket", other.id, expected=[("ticket_made", "login"), ("cancelled", None)])


async def test_the_portal_is_recorded_when_it_is_opened(world: World, record: Record) -> None:
    """Red when `open` does not note it."""
    await visit(world, "42")
    await told(record, "--user-id", "42", expected=[("portal_opened", None)])


async def test_a_redelivered_push_is_recorded_once(world: World, record: Record) -> None:
    """Red when an ending's line is written twice."""
    page, person = await world.login(), await world.person()
    await asyncio.gather(*(world.scan(person, page) for _ in range(2)))
    await world.exchange("nonsense")
    lines = await record(lines=4)
    assert [line["event"] for line in lines].count("answered") == 1


async def test_the_audit_log_contains_no_openid_and_no_secret(world: World, record: Record) -> None:
    """Red when `shortened` returns all of it, and when a line holds a code."""
    page, person = await world.login(state="canary-state"), await world.person(unionid="canary-unionid")
    await world.scan(person, page)
    code = (await page.poll())["code"]
    redeemed = await (await world.exchange(code)).json()
    await world.exchange(code)
    text = json.dumps(await record(lines=5), ensure_ascii=False)
    openid = world.sandbox.contact(person).openid
    secrets = (openid, code, page.made["secret"], redeemed["registration"], "canary", page.made["qr_url"])
    assert [secret for secret in secrets if secret in text] == []


def test_wrong_wishes_are_refused_and_name_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Red when any word is taken for an event."""
    for wish in (["--since", "yesterday"], ["--limit", "0"], ["--limit", "many"], ["--event", "Moved"]):
        with pytest.raises(SystemExit) as end:
            main(["audit", *wish])
        assert end.value.code == 2
        assert wish[0] in capsys.readouterr().err


async def test_a_key_that_takes_over_is_recorded_without_being_told(
    make: Make, record: Record, tmp_path: Path
) -> None:
    """Red when `key_in_use` is not asked at the start, and when it notes a key that was there before."""
    async with AsyncExitStack() as stack:
        redis_url = (await make()).settings.redis.url
        for keys in (["o" * 40], ["n" * 40, "o" * 40]):
            world = make_world(redis_url, tmp_path, secret_key=keys, encryption={"keys": ["e" * 40]})
            await stack.enter_async_context(world)
    entries = [entry for entry in await record(lines=5) if entry["event"].startswith("key_")]
    lines = [entry["detail"] for entry in entries]
    assert [(entry["event"], detail.split()[0]) for entry, detail in zip(entries, lines, strict=True)] == [
        ("key_in_use", "secret_key"),
        ("key_in_use", "encryption"),
        ("key_rotated", "secret_key"),
        ("key_rotated", "encryption"),
        ("key_rotated", "secret_key"),
    ]
    assert len(set(lines)) == 5
    assert not any(letter * 8 in detail for detail in lines for letter in "keno")


async def test_a_limit_that_is_hit_is_logged_once_a_minute_for_each_address(make: Make, record: Record) -> None:
    """Red when `brute_force.counted` or `PushDispatcher.handle` tells nothing, or `note` writes every time."""
    world: World = await make(limits={"tickets_per_address": 1, "scans_per_openid": 1})
    page, person = await world.login(), await world.person()
    world.clock.advance(-world.clock.seconds() % 60)
    for _ in range(3):
        body = {"purpose": "login", "client_id": "shop"}
        refused = await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
        assert refused.status == 429
        world.clock.advance(1)
        await world.scan(person, page)
    expected = [("limit_hit", "tickets_per_address 127.0.0.1"), ("limit_hit", "scans_per_openid")]
    await told(record, "--event", "limit_hit", expected=expected)


async def test_three_thousand_invented_codes_are_two_lines_a_minute(make: Make, record: Record) -> None:
    """Red when `AuditLog.note` writes every entry at once: any visitor of a site could fill the table."""
    world: World = await make()
    began = world.clock.seconds() // 60

    async def invent(number: int) -> None:
        assert (await world.exchange(f"invented-{number}")).status == 400

    for first in range(0, 3000, 100):
        await asyncio.gather(*(invent(number) for number in range(first, first + 100)))
    minutes = int(world.clock.seconds() // 60 - began) + 1
    world.clock.advance(60)
    await invent(3000)
    lines = await record("--event", "exchange_refused", lines=3)
    assert len(lines) <= 2 * minutes + 1
    counts = [line.get("detail", "0 more").removesuffix(" more") for line in lines]
    firsts = sum(count == "0" for count in counts)
    assert firsts + sum(map(int, counts)) == 3001
    assert {line["client"] for line in lines} == {"shop"}


async def test_what_is_still_counted_at_the_stop_is_written(
    redis_url: str, tmp_path: Path, record: Record
) -> None:
    """Red when `_written` flushes only: the last minute before a stop would be unknown."""
    async with make_world(redis_url, tmp_path) as world:
        world.clock.advance(-world.clock.seconds() % 60)
        for number in range(30):
            assert (await world.exchange(f"invented-{number}")).status == 400
    expected = [("exchange_refused", None), ("exchange_refused", "29 more")]
    await told(record, "--event", "exchange_refused", expected=expected)


async def test_an_ipv6_subscriber_does_not_fill_the_record(make: Make, record: Record) -> None:
    """Red when `brute_force.counted` tells the very address."""
    proxied = {"server": {"trusted_proxies": ["127.0.0.0/8"]}}
    world: World = await make(limits={"tickets_per_client": 1}, **proxied)
    world.clock.advance(-world.clock.seconds() % 60)
    for last in range(1, 6):
        body = {"purpose": "login", "client_id": "shop"}
        headers = {"Origin": ORIGIN, "X-Forwarded-For": f"2001:db8:1:2::{last}"}
        await world.call("POST", "/v1/tickets", json=body, headers=headers)
    headers["X-Forwarded-For"] = "203.0.113.7"
    await world.call("POST", "/v1/tickets", json=body, headers=headers)
    whose = ["2001:db8:1:2::/64", "203.0.113.7"]
    expected = [("limit_hit", f"tickets_per_client {one}") for one in whose]
    await told(record, "--event", "limit_hit", expected=expected)


async def test_a_limit_that_was_hit_says_whose_it_is(make: Make, record: Record) -> None:
    """Red when `brute_force.counted` passes on the address alone."""
    world: World = await make(
        limits={"tickets_per_address": 1, "tickets_per_user": 1},
        accounts={"main": {"codes_per_day": 3, "codes_for_binds": 1}},
    )
    await world.login()
    body = {"purpose": "login", "client_id": "shop"}
    assert (await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})).status == 429
    bind = {"purpose": "bind", "user_id": "42", "refresh": True}
    for status in (201, 429):
        assert (await world.site("POST", "/v1/tickets", bind)).status == status
    assert (await world.site("POST", "/v1/tickets", {"purpose": "login"})).status == 429
    lines = await record("--event", "limit_hit", lines=3)
    assert [(line.get("client"), line.get("user_id"), line.get("account")) for line in lines] == [
        ("shop", None, None),
        ("shop", "42", None),
        (None, None, "main"),
    ]
