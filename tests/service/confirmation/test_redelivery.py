"""A redelivered push has one effect and one reply; a forged push has none."""

import pytest
from harness import World
from questions import Make, asking, scanned

from sandbox.faults import Fault


@pytest.mark.parametrize("fault", [Fault.TWICE, Fault.AT_ONCE, Fault.LATE])
async def test_a_redelivered_scan_has_one_effect_and_the_same_reply(world: World, fault: Fault) -> None:
    page, person = await world.bind("42"), await world.person()
    scan = await world.sandbox.scan(person, page.made["qr_url"], fault=fault)
    assert scan.delivery is not None
    assert {attempt.reply for attempt in scan.delivery.attempts} == {scan.delivery.reply}
    assert len(await world.bindings("42")) == 1
    assert (await page.poll())["outcome"] == "bound"


@pytest.mark.parametrize("fault", [Fault.TWICE, Fault.AT_ONCE])
async def test_a_redelivered_answer_gets_the_same_reply(make: Make, fault: Fault) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    answer = await world.sandbox.say(person, state["match"], fault=fault)
    assert {attempt.reply for attempt in answer.attempts} == {answer.reply}
    assert answer.reply
    assert (await page.poll())["status"] == "confirmed"


FORGED = [Fault.UNSIGNED, Fault.WRONG_TOKEN, Fault.PLAINTEXT, Fault.WRONG_KEY, Fault.WRONG_APPID]


@pytest.mark.parametrize("fault", FORGED)
async def test_a_forged_scan_changes_nothing(world: World, fault: Fault) -> None:
    page, person = await world.bind("42"), await world.person()
    scan = await world.sandbox.scan(person, page.made["qr_url"], fault=fault)
    assert scan.delivery is not None
    statuses = {attempt.status for attempt in scan.delivery.attempts}
    assert statuses == {400 if fault in (Fault.WRONG_KEY, Fault.WRONG_APPID) else 403}
    assert (await page.poll())["status"] == "pending"
    assert await world.bindings("42") == []
