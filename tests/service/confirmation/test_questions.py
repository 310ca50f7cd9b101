"""Each `confirm` setting asks its question, and the right answer confirms.

Covers: service.confirmation.answers, service.confirmation.build, service.confirmation.completion,
service.confirmation.form_answers, service.confirmation.scan, service.confirmation.scan_context.
"""

import re

import pytest
from harness import World
from questions import Make, asking, links, numbers, scanned

import models.scene
from models.events import OpenId
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import connect


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
    assert "Wrong number" in (await world.say(person, state["match"]) or "")
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


@pytest.mark.parametrize("text", ["hello", "人工客服", "四七", "[微笑]", "47" * 20])
async def test_a_text_that_answers_nothing_is_left_alone(make: Make, text: str) -> None:
    world = await asking(make, "choose")
    page, person, _, _ = await scanned(world)
    assert await world.say(person, text) is None
    assert (await page.poll())["status"] == "scanned"
    assert world.sandbox.deliveries[-1].state == "answered"


async def test_a_number_without_a_question_is_left_alone(make: Make) -> None:
    world = await asking(make, "choose")
    assert await world.say(await world.person(), "47") is None


@pytest.mark.parametrize(("ticket", "speaks"), [("zh", "登录成功"), ("en", "Thank you"), (None, "Thank you")])
async def test_the_chat_speaks_the_tickets_language_else_the_clients(
    world: World, ticket: str | None, speaks: str
) -> None:
    page = await world.login(**({"lang": ticket} if ticket else {}))
    person = await world.person(following=False)  # so that WeChat was not yet asked for their language
    said = await world.scan(person, page)
    assert ("扫码成功" if ticket == "zh" else speaks) in (said or "")


async def test_an_answer_counts_though_wechat_reports_the_person_unsubscribed(make: Make) -> None:
    world = await asking(make, "choose")
    page, person, _, state = await scanned(world)
    openid, now = OpenId(person.openid(world.sandbox.accounts[0].appid)), world.clock()
    async with connect("embedded", data_dir=world.settings.data_dir) as database:
        followers = Followers(database, Identities(FieldCipher.of([])))
        await followers.gone("main", openid, since=now)
    await world.say(person, state["match"])
    assert (await page.poll())["status"] == "confirmed"
