"""Replayed pushes have no second effect."""

import json
from dataclasses import replace

import pytest
from attacked_pushes import MODES, Make, again, asked, in_mode, told, untouched
from harness import ACCOUNT, World, client, problem
from posting import prepared, snapshot

from sandbox.faults import Fault


@MODES
async def test_a_replay_gets_the_same_answer_and_changes_nothing(make: Make, mode: str) -> None:
    """Red when `recall` remembers nothing: the answer would say what has become of the ticket since."""
    world = await in_mode(make, mode, confirm="tap")
    page, person, seen = await asked(world)
    async with untouched(world):
        assert "Is that you?" in told(await (await again(world, seen)).read(), mode)
    await world.sandbox.tap(person, "Yes, that is me")
    assert (await page.poll())["status"] == "confirmed"
    world.clock.advance(290)
    async with untouched(world):
        answer = await again(world, seen)
        assert answer.status == 200
        assert "Is that you?" in told(await answer.read(), mode)


@MODES
@pytest.mark.parametrize("seconds", [301, -301])
async def test_a_push_stamped_far_from_now_is_refused(make: Make, mode: str, seconds: int) -> None:
    """Red when the service gives its accounts no max_skew."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    world.clock.hold()
    world.clock.advance(-seconds)
    request = push.request()
    world.clock.advance(seconds)
    async with untouched(world):
        await problem(await push.send(request), 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"


@MODES
async def test_a_replay_cannot_be_made_newer(make: Make, mode: str) -> None:
    """Red when timestamp and nonce are left out of what is signed, or `open` looks at no clock.

    What is signed is sorted and joined without a mark between, so timestamp and nonce may trade places.
    """
    world = await in_mode(make, mode)
    _, _, seen = await asked(world)
    world.clock.advance(301)
    now = str(int(world.clock.seconds()))
    swapped = {"timestamp": seen.query["nonce"], "nonce": seen.query["timestamp"]}
    async with untouched(world):
        for changes in ({"timestamp": now}, {"timestamp": now, "nonce": "1"}, swapped, {}):
            await problem(await again(world, seen, **changes), 403, "bad-signature")


async def test_a_replay_never_binds_again_what_was_disconnected(world: World) -> None:
    """Red when `ScanHandler._answer` goes on with an ended ticket and `insert` may replace its ending."""
    page, _, seen = await asked(world)
    assert (await page.poll())["outcome"] == "bound"
    assert (await world.site("DELETE", "/v1/bindings/42")).status == 204
    for lost in (False, True):
        if lost:
            await world.redis.flushall()
        _, before = await snapshot(world)
        assert (await again(world, seen)).status == 200
        _, after = await snapshot(world)
        assert after["bindings"] == before["bindings"] == []
        assert after["endings"] == before["endings"]
        assert after["history"] == before["history"]


async def test_a_replayed_answer_answers_nothing_newer(make: Make) -> None:
    """Red when `AnswerHandler.answered` does not ask which came first, the question or the answer."""
    world = await in_mode(make, "safe", confirm="match")
    page, person, _ = await asked(world)
    right = (await page.poll())["match"]
    seen = (await world.sandbox.say(person, right)).request
    await world.redis.flushall()  # what was answered is forgotten
    world.clock.advance(2)
    newer = await world.login()
    await world.scan(person, newer)
    while (await newer.poll())["match"] == right:  # one in ninety: then it would be the answer
        newer = await world.login()
        await world.scan(person, newer)
    assert (await newer.poll())["status"] == "scanned"
    _, before = await snapshot(world)
    assert await (await again(world, seen)).read() == b"success"
    assert (await snapshot(world))[1] == before
    assert (await newer.poll())["status"] == "scanned"


@MODES
async def test_the_same_push_twice_at_once_has_one_effect(make: Make, mode: str) -> None:
    """Red when `_insert` may replace a row in `endings`."""
    world = await in_mode(make, mode)
    page, person = await world.bind("42"), await world.person()
    scan = await world.sandbox.scan(person, page.made["qr_url"], fault=Fault.AT_ONCE)
    assert scan.delivery is not None
    assert [one.status for one in scan.delivery.attempts] == [200, 200]
    assert all("now bound" in (one.reply or "") for one in scan.delivery.attempts)
    _, sql = await snapshot(world)
    assert (len(sql["bindings"]), len(sql["endings"]), len(sql["history"])) == (1, 1, 1)


# The real deliveries, as WeChat publishes them.


@pytest.mark.parametrize("sample", ["official_safe_json", "tencent_safe_xml"])
@pytest.mark.parametrize(("max_skew", "status"), [(0, 200), (300, 403)])
async def test_real_deliveries_are_let_in_as_long_as_their_age_is(
    make: Make, request: pytest.FixtureRequest, sample: str, max_skew: int, status: int
) -> None:
    """Red when `max_skew: 0` is a window of no seconds, or the window is not the service's default."""
    push = json.loads((request.config.rootpath / f"tests/samples/{sample}.json").read_text())
    given = {"appid": push["account"]["appid"], "token": push["account"]["token"]}
    official = replace(ACCOUNT, **given, aes_key=push["account"]["aes_key"])
    world = await make(
        official={"main": official},
        accounts={"main": {"max_skew": max_skew}},
        clients={"shop": client("shop")},
    )
    body = push["body"].encode()
    response = await world.call("POST", "/wechat/main", params=push["query"], data=body)
    assert response.status == status
    assert status == 403 or await response.read() == b"success"
