"""Only the newest question of a person may be answered, by that person, in time."""

import asyncio

from harness import ACCOUNT, World
from questions import Make, asking, links, numbers, scanned

from sandbox import pushes
from sandbox.envelope import wrap
from sandbox.faults import Fault


async def test_an_old_yes_answers_nothing_newer(make: Make) -> None:
    world = await asking(make, "tap")
    first, person, asked, _ = await scanned(world)
    second = await world.login()
    newer = await world.scan(person, second)
    assert await world.say(person, links(asked)[0]) is None
    assert await world.say(person, links(asked)[1]) is None
    assert (await first.poll())["status"] == (await second.poll())["status"] == "scanned"
    await world.say(person, links(newer)[0])
    assert (await second.poll())["status"] == "confirmed"
    assert (await first.poll())["status"] == "scanned"


async def test_an_old_number_answers_nothing_newer(make: Make) -> None:
    world = await asking(make, "choose")
    person = await world.person()
    while True:  # until two tickets share no number, which most do
        first, second = await world.login(), await world.login()
        old, new = await world.scan(person, first), await world.scan(person, second)
        if not set(numbers(old)) & set(numbers(new)):
            break
    for number in numbers(old):
        assert await world.say(person, number) is None
    assert (await first.poll())["status"] == (await second.poll())["status"] == "scanned"


async def test_an_older_scan_that_arrives_late_does_not_open_its_question(make: Make) -> None:
    world = await asking(make, "tap")
    person = await world.person()
    first, second = await world.login(), await world.login()
    held = await world.sandbox.scan(person, first.made["qr_url"], fault=Fault.OUT_OF_ORDER, wait=False)
    world.clock.advance(2)
    newer = await world.scan(person, second)
    async with asyncio.timeout(20):
        while not (held.delivery and held.delivery.attempts):
            await asyncio.sleep(0.01)
    assert "no longer valid" in (held.delivery.reply or "")
    await world.say(person, links(newer)[0])
    assert (await second.poll())["status"] == "confirmed"
    assert (await first.poll())["status"] == "pending"


async def test_second_phone_changes_nothing_and_is_told(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    thief = await world.person()
    assert "Another person" in (await world.scan(thief, page) or "")
    assert await world.say(thief, state["match"]) is None
    assert (await page.poll())["status"] == "scanned"
    await world.say(person, state["match"])
    ended = await page.poll()
    told = await (await world.exchange(ended["code"])).json()
    assert told["openid"] == person.openid(world.sandbox.accounts[0].appid)


async def test_the_same_person_may_scan_again(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, asked, state = await scanned(world)
    assert await world.scan(person, page) == asked
    assert (await page.poll()) | {"expires_in": 0} == state | {"expires_in": 0}


async def test_an_expired_code_says_so(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    world.clock.advance(301)
    assert (await page.poll())["status"] == "expired"
    assert "no longer valid" in (await world.say(person, state["match"]) or "")
    assert (await page.poll())["status"] == "expired"


async def test_each_late_answer_is_told_that_it_is_late(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    assert (await page.raw("DELETE")).status == 204
    for text in (state["match"], state["match"], "55"):
        assert "no longer valid" in (await world.say(person, text) or "")
    assert await world.say(person, "hello") is None


async def test_a_scan_that_asks_nothing_closes_an_older_question(make: Make) -> None:
    world = await asking(make, {"login": "choose", "bind": "none"})
    page, person, _, state = await scanned(world)
    await world.scan(person, await world.bind("42"))
    assert await world.say(person, state["match"]) is None
    assert (await page.poll())["status"] == "scanned"


async def test_a_scan_that_asks_nothing_counts_however_late_it_comes(world: World) -> None:
    person = await world.person()
    first, second = await world.bind("42"), await world.login()
    held = await world.sandbox.scan(person, first.made["qr_url"], fault=Fault.OUT_OF_ORDER, wait=False)
    world.clock.advance(2)
    await world.scan(person, second)
    assert held.delivery is not None
    assert (await first.until("confirmed"))["outcome"] == "bound"


async def test_a_cancelled_code_that_asks_nothing_leaves_an_older_question_open(make: Make) -> None:
    """Red when `_reply` opens a question for every ended ticket."""
    world = await asking(make, {"login": "choose", "bind": "none"})
    page, person, _, state = await scanned(world)
    cancelled = await world.bind("42")
    assert (await cancelled.raw("DELETE")).status == 204
    assert "no longer valid" in (await world.scan(person, cancelled) or "")
    await world.say(person, state["match"])
    assert (await page.poll())["status"] == "confirmed"


async def test_a_redelivered_scan_closes_an_older_question_though_its_ticket_has_ended(make: Make) -> None:
    """Red when `_reply` opens no question for an ended ticket: a crash had kept the first delivery from it."""
    world = await asking(make, {"login": "choose", "bind": "none"})
    page, person, _, state = await scanned(world)
    [asked] = await world.redis.keys("scanbind:q:*")
    older = await world.redis.get(asked)
    bind = await world.bind("42")
    contact, now = world.sandbox.state().contact(person), world.clock.seconds()
    fields = pushes.addressed(pushes.scan(world.sandbox.code(bind.made["qr_url"])), contact, ACCOUNT, now=now)
    push = wrap(fields, ACCOUNT, now=now)

    async def deliver() -> None:
        headers = {"Content-Type": push.content_type}
        answer = await world.call("POST", "/wechat/main", params=push.query, data=push.body, headers=headers)
        assert answer.status == 200

    await deliver()
    await world.redis.set(asked, older)
    await world.redis.delete(*await world.redis.keys("scanbind:d:*"))  # the reply
    await deliver()
    assert await world.say(person, state["match"]) is None
    assert (await page.poll())["status"] == "scanned"
