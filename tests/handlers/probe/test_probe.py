"""The endpoints of the doctor: without its token they do not exist.

Red when a token that is old, wrong or of another service opens them, or when the answer differs from that of an
address that does not exist.

Covers: handlers.probe.routes.
"""

from datetime import timedelta
from typing import Any

import pytest
from harness import World

from service.app_keys import KEYRING
from service.crypto.keyring import Keyring
from service.doctor.probe import LONGEST_CHAIN, PIECES, SENT, TOKEN, VALID, Sight

ADDRESSES = ["/v1/probe/plain", "/v1/probe-stream"]
SECOND = timedelta(seconds=1)


def token(world: World, *, ahead: timedelta = timedelta()) -> str:
    return world.app[KEYRING].probe(world.clock() + ahead)


async def look(world: World, segment: str = "plain", **headers: str) -> Sight:
    response = await world.call("GET", f"/v1/probe/{segment}", headers={TOKEN: token(world), **headers})
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    return Sight.model_validate_json(await response.read())


async def problem_of(world: World, address: str, headers: dict[str, str]) -> tuple[int, Any]:
    response = await world.call("GET", address, headers=headers)
    body = await response.json()
    return response.status, {name: value for name, value in body.items() if name not in ("instance", "request_id")}


@pytest.mark.parametrize("address", ADDRESSES)
async def test_without_a_valid_token_there_is_nothing(world: World, address: str) -> None:
    world.clock.hold()
    nothing = await problem_of(world, "/v1/nothing", {})
    assert nothing[0] == 404
    good = token(world)
    stamp, _, proof = good.partition(".")
    foreign = Keyring.derive(("x" * 40,), ["shop"])
    bad = [
        "", ".", stamp, proof, f"{int(stamp) + 1}.{proof}", f"{stamp}.{proof[:-1]}", f"{stamp}.{proof}A",
        f"x.{proof}", "é.x", foreign.probe(world.clock()), foreign.newest("shop").hint, "9" * 5000,
        token(world, ahead=VALID + SECOND), token(world, ahead=-VALID - SECOND),
    ]  # fmt: skip
    for one in bad:
        assert await problem_of(world, address, {TOKEN: one}) == nothing, one
    assert await problem_of(world, address, {}) == nothing
    for ahead in (VALID - SECOND, -VALID + SECOND):
        response = await world.call("GET", address, headers={TOKEN: token(world, ahead=ahead)})
        assert response.status == 200


async def test_a_token_of_any_generation_opens_and_of_none_other(world: World) -> None:
    old, new = Keyring.derive(("o" * 40,), ()), Keyring.derive(("n" * 40, "o" * 40), ())
    now = world.clock()
    assert new.is_probe(old.probe(now), now=now, within=VALID)
    assert new.is_probe(new.probe(now), now=now, within=VALID)
    assert not old.is_probe(new.probe(now), now=now, within=VALID)


async def test_the_service_says_what_it_saw(make: Any) -> None:
    world: World = await make(server={"trusted_proxies": ["127.0.0.1"]})
    sight = await look(
        world, "a%2Fb", **SENT, **{"X-Forwarded-For": "203.0.113.1, 203.0.113.2", "Forwarded": "for=x"}
    )
    assert (sight.segment, sight.peer, sight.trusted) == ("a/b", "127.0.0.1", True)
    assert (sight.chain, sight.header, sight.others) == (
        ["203.0.113.2", "203.0.113.1"],
        "X-Forwarded-For",
        ["Forwarded"],
    )
    assert (sight.address, sight.https) == ("203.0.113.2", False)
    assert sight.received == list(SENT)
    changed = await look(world, **{**SENT, "Prefer": "wait=9", "X-Forwarded-Proto": "https"})
    assert changed.received == [name for name in SENT if name != "Prefer"]
    assert changed.https


async def test_an_answer_has_a_bounded_size(make: Any) -> None:
    world: World = await make(server={"trusted_proxies": ["127.0.0.1"]})
    chain = ", ".join(["203.0.113.1"] * 500)
    response = await world.call(
        "GET", f"/v1/probe/{'x' * 5000}", headers={TOKEN: token(world), "X-Forwarded-For": chain}
    )
    body = await response.read()
    assert (response.status, len(body) < 1000) == (200, True)
    sight = Sight.model_validate_json(body)
    assert (len(sight.segment), len(sight.chain)) == (64, LONGEST_CHAIN)


async def test_the_stream_is_two_pieces_a_second_apart(world: World) -> None:
    async with world.http.get(f"{world.url}/v1/probe-stream", headers={TOKEN: token(world)}) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert await response.content.readany() == PIECES[0]
        assert await response.content.read() == PIECES[1]
