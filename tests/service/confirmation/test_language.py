"""A question, its endings and its hints are in one language, though WeChat reports another meanwhile.

Red when `OpenQuestion` does not keep the language, or `AnswerHandler` asks for the follower's.
"""

import pytest
from harness import World
from questions import Make, asking, links, scanned

from models.events import OpenId
from models.language import Lang
from sandbox.people import Person
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import connect


async def reported(world: World, person: Person, lang: Lang) -> None:
    """Store what WeChat's user/info returns of a person meanwhile."""
    openid = OpenId(person.openid(world.sandbox.accounts[0].appid))
    async with connect("embedded", data_dir=world.settings.data_dir) as database:
        followers = Followers(database, Identities(FieldCipher.of([]), world.settings.appids))
        await followers.learned("main", openid, unionid=None, lang=lang, asked_at=world.clock())


def in_chinese(text: str | None) -> bool:
    assert text
    return "。" in text


@pytest.mark.parametrize("asked_in", list(Lang))
@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
@pytest.mark.parametrize("answer", ["right", "not me", "nearly", "late"])
async def test_the_reply_is_in_the_language_of_the_question(
    make: Make, confirm: str, answer: str, asked_in: Lang
) -> None:
    other = Lang.EN if asked_in is Lang.ZH else Lang.ZH
    world = await asking(make, confirm, lang=other)
    page, person = await world.login(), await world.person(language="zh_CN" if asked_in is Lang.ZH else "en")
    await reported(world, person, asked_in)
    asked = await world.scan(person, page) or ""
    assert ("不是我" in asked) is (asked_in is Lang.ZH)
    state = await page.until("scanned")
    await reported(world, person, other)
    if answer == "late":
        assert (await page.raw("DELETE")).status == 204
    right = state["match"] or links(asked)[0]
    said = {"right": right, "late": right, "not me": links(asked)[-1], "nearly": "147"}[answer]
    assert in_chinese(await world.say(person, said)) is (asked_in is Lang.ZH)


async def test_the_next_question_is_in_the_persons_own_language(make: Make) -> None:
    world = await asking(make, "choose", lang="en")
    _, person, asked, _ = await scanned(world)
    await reported(world, person, Lang.ZH)
    again = await world.scan(person, await world.login())
    assert ("不是我" in asked, "不是我" in (again or "")) == (False, True)
