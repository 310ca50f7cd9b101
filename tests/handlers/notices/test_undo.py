"""The page that a notice leads to: looking changes nothing, its button undoes one bind (docs/adr/0040).

Red when a GET undoes, when an address undoes a later binding or works after ten minutes, and when what relied on
the bind stays.
Covers: handlers.notices.routes.
"""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from harness import World
from noticing import TOKEN, known_follower, noticed, notices, noticing, page, press, said, signed_in, signed_up
from outgoing import rows

from models.binding import ChangeSource, UserId
from models.notice import binding_name
from models.outbox import State, webhook_target
from models.tables.bindings import bindings
from service.app_keys import BINDINGS, KEYRING, SENDER
from service.crypto.keyring import Capability

Make = Callable[..., Any]
HOOK = {"url": "http://127.0.0.1:9/", "secret": "whsec_" + "c2Vj" * 11, "allow_private": True}


@pytest.fixture
async def town(make: Make) -> World:
    return await noticing(make, webhooks=[HOOK])


async def history(world: World, user_id: str = "42") -> list[ChangeSource]:
    return [it.source for it in await world.app[BINDINGS].history("shop", UserId(user_id))]


async def test_looking_changes_nothing_and_pressing_undoes(town: World) -> None:
    person, path = await noticed(town)
    for agent in ("Mozilla/5.0 MicroMessenger/8.0", "Mozilla/5.0", "WeChat link check"):
        assert await page(town, path, **{"User-Agent": agent}) == (200, "undo-open")
    assert (await town.call("HEAD", path)).status == 200
    assert len(await town.bindings("42")) == 1
    answer = await press(town, path)
    assert (answer.status, answer.headers["Location"]) == (303, town.url + path)
    assert await town.bindings("42") == []
    assert await page(town, path) == (200, "undo-gone")
    assert await history(town) == [ChangeSource.UNDO, ChangeSource.REGISTRATION]
    assert len(await said(town, person)) == 1


async def test_the_site_hears_that_the_user_disconnected(town: World) -> None:
    _, path = await noticed(town)
    await press(town, path)
    hook = webhook_target("shop", str(HOOK["url"]))
    events = [it["event"] for it in await rows(town.app[SENDER].database) if it["target"] == hook]
    assert events == ["binding.created", "registration.completed", "binding.removed"]
    assert [state for state, *_ in await notices(town, 1)] == [State.DELIVERED]


async def test_pressing_twice_shows_the_same_page_and_undoes_nothing_more(town: World) -> None:
    person, path = await noticed(town)
    token = TOKEN.findall(await (await town.call("GET", path)).text())[0]
    await press(town, path, token=token)
    town.clock.advance(1)
    await town.scan(person, await town.bind("42", method="scan"))
    assert (await press(town, path, token=token)).status == 303
    assert await page(town, path) == (200, "undo-gone")
    assert len(await town.bindings("42")) == 1


async def test_the_same_wechat_bound_again_is_another_binding(town: World) -> None:
    """Red when an address names only the WeChat."""
    person, path = await noticed(town)
    token = TOKEN.findall(await (await town.call("GET", path)).text())[0]
    (await town.site("DELETE", "/v1/bindings/42")).raise_for_status()
    town.clock.advance(1)
    await signed_up(town, person)
    await press(town, path, token=token)
    assert len(await town.bindings("42")) == 1


async def test_after_ten_minutes_the_page_says_where_to_disconnect(town: World) -> None:
    _, path = await noticed(town)
    token = TOKEN.findall(await (await town.call("GET", path)).text())[0]
    town.clock.advance(601)
    assert await page(town, path) == (200, "undo-late")
    assert "in your account" in await (await town.call("GET", path)).text()
    assert (await press(town, path, token=token)).status == 303
    assert len(await town.bindings("42")) == 1


async def test_logins_that_relied_on_the_bind_are_undone_with_it(town: World) -> None:
    """Red when a person stays bound to the other user by the login that followed."""
    person, path = await noticed(town)
    page_of_shop = await town.login(method="scan")
    await town.scan(person, page_of_shop)
    assert len(await town.bindings("42")) == 2
    await press(town, path)
    assert await town.bindings("42") == []
    assert (await signed_in(town, person))["outcome"] == "register"


async def test_what_the_person_had_bound_before_stays(make: Make) -> None:
    town = await noticing(make)
    person = await known_follower(town)
    await town.scan(person, await town.bind("42", method="scan"))
    town.clock.advance(1)
    assert (await signed_in(town, person))["outcome"] == "login"
    (earlier, later) = await town.bindings("42")
    found = await rows_of(town, later["account"])
    keys = town.app[KEYRING].newest("shop")
    path = f"/undo/{keys.capability(Capability.UNDO, binding_name(*found))}"
    await press(town, path)
    assert await town.bindings("42") == [earlier]


async def rows_of(world: World, account: str) -> tuple[int, Any]:
    """Return the identity and the moment of the binding in an account."""
    query = sa.select(bindings.c.follower_id, bindings.c.bound_at).where(bindings.c.account == account)
    row = await world.app[SENDER].database.read(lambda connection: connection.execute(query).one())
    return row[0], row[1]


async def test_a_move_is_undone_by_a_disconnect_from_the_new_user(make: Make) -> None:
    town = await noticing(make, takeover="move")
    person = await known_follower(town)
    for user in ("42", "43"):
        town.clock.advance(1)
        await town.scan(person, await town.bind(user, method="scan"))
    await notices(town, 1)
    (message,) = [it for it in await town.sandbox.chat(person) if "was moved" in it.text]
    (href,) = [it.href for it in message.pieces if it.href]
    await press(town, href.removeprefix(town.url))
    assert [await town.bindings(user) for user in ("42", "43")] == [[], []]


async def test_the_page_runs_nothing_and_cannot_be_framed(town: World) -> None:
    _, path = await noticed(town)
    response = await town.call("GET", path)
    policy = response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert response.headers["Cache-Control"].startswith("no-store")
    assert "<script" not in await response.text()


@pytest.mark.parametrize(
    ("lang", "title"), [("zh-CN", "解绑“示例商城”的微信？"), ("en", "Disconnect your WeChat from Example shop?")]
)
async def test_the_page_speaks_the_browsers_language(town: World, lang: str, title: str) -> None:
    _, path = await noticed(town)
    response = await town.call("GET", path, headers={"Accept-Language": lang})
    assert f"<h1>{title}</h1>" in await response.text()


async def test_visits_of_an_address_are_limited(make: Make) -> None:
    town = await noticing(make, limits={"visits_per_address": 5})
    found = [await page(town, "/undo/made-up") for _ in range(6)]
    assert found == [(400, "undo-unusable")] * 5 + [(429, "limited")]
