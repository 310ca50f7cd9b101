"""After Redis loses its data, questions are asked again and ended tickets stay ended."""

import pytest
from questions import Make, asking, links, scanned

from service.app_keys import FEED


@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
async def test_after_a_flush_a_rescan_asks_the_same_question(make: Make, confirm: str) -> None:
    world = await asking(make, confirm)
    page = await world.bind("ünï#42", account_name="anna@shop.example")
    person = await world.person()
    asked = await world.scan(person, page)
    state = await page.poll()
    await world.redis.flushall()
    assert await world.scan(person, page) == asked
    again = await page.until("scanned")
    assert again["match"] == state["match"]
    await world.say(person, links(asked)[0] if confirm == "tap" else state["match"])
    assert (await page.poll())["outcome"] == "bound"
    assert len(await world.bindings("%C3%BCn%C3%AF%2342")) == 1


async def test_a_flush_before_the_scan_loses_only_browser_address_and_state(make: Make) -> None:
    world = await asking(make, "choose")
    page = await world.login(state="xyz")
    picture = await world.call("GET", page.made["qr_svg"])
    await world.redis.flushall()
    assert (await page.poll())["status"] == "pending"
    assert await (await world.call("GET", page.made["qr_svg"])).text() == await picture.text()
    person = await world.person()
    await world.scan(person, page)
    await world.say(person, (await page.until("scanned"))["match"])
    told = await (await world.exchange((await page.poll())["code"])).json()
    assert told["state"] is None


@pytest.mark.parametrize("ending", ["confirmed", "declined", "wrong", "cancelled", "used"])
async def test_after_a_flush_nothing_that_ended_comes_back(make: Make, ending: str) -> None:
    world = await asking(make, "tap" if ending != "wrong" else "match")
    page, person, asked, state = await scanned(world, state="xyz")
    match ending:
        case "cancelled":
            await page.raw("DELETE")
        case "wrong":
            await world.say(person, "10" if state["match"] != "10" else "11")
        case "declined":
            await world.say(person, links(asked)[-1])
        case _:
            await world.say(person, links(asked)[0])
    before = await page.poll()
    if ending == "used":
        assert (await world.exchange(before["code"])).status == 200
        used, before = before["code"], await page.poll()
    await world.redis.flushall()
    world.app[FEED]._cache.clear()  # this process remembers, too
    after = await page.poll()
    assert after | {"expires_in": 0} == before | {"expires_in": 0}
    await world.scan(person, page)
    await world.say(person, links(asked)[0])
    assert (await page.poll()) | {"expires_in": 0} == before | {"expires_in": 0}
    if ending == "used":
        assert (await world.exchange(used)).status == 400
    if ending == "confirmed":
        assert (await (await world.exchange(before["code"])).json())["state"] == "xyz"
