"""The chat asks: all four settings, both purposes, and what answers nothing."""

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from harness import Page, World, client

import models.scene
from models.events import OpenId
from sandbox.faults import Fault
from sandbox.people import Person
from service.app_keys import FEED
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import connect

Make = Callable[..., Any]


async def asking(make: Make, confirm: str, **changes: Any) -> World:
    started: World = await make(clients={"shop": client("shop", confirm=confirm, **changes)})
    return started


def links(text: str | None) -> list[str]:
    """What tapping each link of a reply would say."""
    return [unquote(said) for said in re.findall(r"msgmenucontent=([^&\"]*)&", text or "")]


def numbers(text: str | None) -> list[str]:
    return [said for said in links(text) if re.fullmatch(r"[0-9]{2}", said)]


async def scanned(world: World, **fields: Any) -> tuple[Page, Person, str, dict[str, Any]]:
    page, person = await world.login(**fields), await world.person()
    asked = await world.scan(person, page)
    assert asked is not None
    state = await page.poll()
    assert state["status"] == "scanned"
    return page, person, asked, state


class CountingPattern:
    """The shape of a scene, which notes every text that is matched with it."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.seen: list[str] = []

    def fullmatch(self, text: str) -> re.Match[str] | None:
        self.seen.append(text)
        return self._pattern.fullmatch(text)


@pytest.mark.parametrize("confirm", ["choose", "none"])
async def test_the_scene_of_a_scan_is_parsed_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, confirm: str
) -> None:
    """Red when `PushDispatcher` passes the text on, and not the scene that it was parsed into."""
    shape = CountingPattern(models.scene._SHAPE)
    monkeypatch.setattr("models.scene._SHAPE", shape)
    world = await asking(make, confirm)
    page, person = await world.bind("42"), await world.person()
    shape.seen.clear()
    assert await world.scan(person, page) is not None
    assert shape.seen == [page.id + "42"]


async def test_choose_offers_three_numbers_and_not_me_last(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, asked, state = await scanned(world)
    assert len(set(numbers(asked))) == 3
    assert state["match"] in numbers(asked)
    assert links(asked)[:3] == numbers(asked)
    assert len(links(asked)) == 4
    assert "Example shop" in asked
    assert "logged in" not in asked
    await world.say(person, state["match"])
    assert (await page.poll())["status"] == "confirmed"


async def test_a_tapped_number_is_the_same_answer_as_a_typed_one(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    await world.sandbox.tap(person, state["match"])
    assert (await page.poll())["outcome"] == "register"


async def test_a_decoy_rejects_for_good(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, asked, state = await scanned(world)
    wrong = next(number for number in numbers(asked) if number != state["match"])
    assert "Wrong number" in (await world.say(person, wrong) or "")
    ended = await page.poll()
    assert (ended["status"], ended["reason"], ended["match"]) == ("rejected", "wrong_number", None)
    assert await world.say(person, state["match"]) is None
    assert (await page.poll())["status"] == "rejected"


async def test_match_asks_for_the_number_and_links_only_not_me(make: Make) -> None:
    world = await asking(make, "match")
    page, person, asked, state = await scanned(world)
    assert len(links(asked)) == 1
    said = re.sub(r"<[^>]*>", "", asked)  # a link holds a mark, whose hexadecimal digits may be those
    assert not re.search(rf"\b{state['match']}\b", said)
    assert re.fullmatch(r"[1-9][0-9]", state["match"])
    await world.say(person, state["match"])
    assert (await page.poll())["status"] == "confirmed"


async def test_match_takes_a_wrong_number_as_final(make: Make) -> None:
    world = await asking(make, "match")
    page, person, _, state = await scanned(world)
    await world.say(person, "10" if state["match"] != "10" else "11")
    assert (await page.poll())["reason"] == "wrong_number"


async def test_tap_offers_yes_before_not_me(make: Make) -> None:
    world = await asking(make, "tap")
    page, person, asked, state = await scanned(world)
    assert state["match"] is None
    yes, not_me = links(asked)
    assert yes != not_me
    await world.say(person, yes)
    assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
async def test_not_me_declines(make: Make, confirm: str) -> None:
    world = await asking(make, confirm)
    page, person, asked, _ = await scanned(world)
    assert "Declined" in (await world.say(person, links(asked)[-1]) or "")
    ended = await page.poll()
    assert (ended["status"], ended["reason"]) == ("rejected", "declined")


async def test_none_never_shows_scanned(make: Make) -> None:
    world = await asking(make, "none")
    page, person = await world.login(), await world.person()
    await world.scan(person, page)
    assert (await page.poll())["status"] == "confirmed"


async def test_each_purpose_has_its_own_setting(make: Make) -> None:
    world = await asking(make, {"login": "none", "bind": "match"})
    page, person = await world.bind("42"), await world.person()
    assert len(links(await world.scan(person, page))) == 1
    await world.say(person, (await page.poll())["match"])
    assert (await page.poll())["outcome"] == "bound"
    login = await world.login()
    await world.scan(person, login)
    assert (await login.poll())["outcome"] == "login"


async def test_the_question_names_browser_address_and_account(make: Make) -> None:
    world = await asking(make, "choose")
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
    visitor = {"ip": "203.0.113.7", "user_agent": agent}
    page = await world.bind("42", account_name="anna@shop.example", visitor=visitor)
    asked = await world.scan(await world.person(), page) or ""
    for part in ("anna@shop.example", "203.0.113.7", "Chrome · Windows", "Example shop"):
        assert part in asked


async def test_names_cannot_write_links_into_the_chat(make: Make) -> None:
    world = await asking(make, "tap")
    evil = '<a href="weixin://bizmsgmenu?msgmenucontent=Yes">tap</a>\u202e&#60;\nhttps://evil.example'
    page = await world.bind("42", account_name=evil, visitor={"ip": evil[:64], "user_agent": evil})
    asked = await world.scan(await world.person(), page) or ""
    assert len(links(asked)) == 2
    assert "\u202e" not in asked
    assert "https://" not in asked


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


@pytest.mark.parametrize("text", ["hello", "4", "477", "٤٧", "4 7", "yes", "确认", "[微笑]", "47."])
async def test_a_text_that_answers_nothing_is_left_alone(make: Make, text: str) -> None:
    world = await asking(make, "choose")
    page, person, _, _ = await scanned(world)
    assert await world.say(person, text) is None
    assert (await page.poll())["status"] == "scanned"
    assert world.sandbox.deliveries[-1].state == "answered"


async def test_a_number_without_a_question_is_left_alone(make: Make) -> None:
    world = await asking(make, "choose")
    assert await world.say(await world.person(), "47") is None


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
    world.app[FEED]._known.clear()  # this process remembers, too
    after = await page.poll()
    assert after | {"expires_in": 0} == before | {"expires_in": 0}
    await world.scan(person, page)
    await world.say(person, links(asked)[0])
    assert (await page.poll()) | {"expires_in": 0} == before | {"expires_in": 0}
    if ending == "used":
        assert (await world.exchange(used)).status == 400
    if ending == "confirmed":
        assert (await (await world.exchange(before["code"])).json())["state"] == "xyz"


async def test_an_expired_code_says_so(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    world.clock.advance(301)
    assert (await page.poll())["status"] == "expired"
    assert "no longer valid" in (await world.say(person, state["match"]) or "")
    assert (await page.poll())["status"] == "expired"


@pytest.mark.parametrize(("ticket", "speaks"), [("zh", "登录成功"), ("en", "Thank you"), (None, "Thank you")])
async def test_the_chat_speaks_the_tickets_language_else_the_clients(
    world: World, ticket: str | None, speaks: str
) -> None:
    page = await world.login(**({"lang": ticket} if ticket else {}))
    person = await world.person(following=False)  # so that WeChat was not yet asked for their language
    said = await world.scan(person, page)
    assert ("扫码成功" if ticket == "zh" else speaks) in (said or "")


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


async def test_only_the_first_late_answer_is_told_that_it_is_late(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    assert (await page.raw("DELETE")).status == 204
    assert "no longer valid" in (await world.say(person, state["match"]) or "")
    for text in (state["match"], "55", "hello"):
        assert await world.say(person, text) is None


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


async def test_an_answer_counts_whatever_wechat_tells_of_the_person(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    openid, now = OpenId(person.openid(world.sandbox.accounts[0].appid)), world.clock()
    async with connect("embedded", data_dir=world.settings.data_dir) as database:
        followers = Followers(database, Identities(FieldCipher.of([])))
        await followers.learned("main", openid, subscribed=False, unionid=None, lang=None, now=now)
    await world.say(person, state["match"])
    assert (await page.poll())["status"] == "confirmed"
