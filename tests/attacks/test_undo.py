"""Addresses of undo pages that were guessed, altered or sent by others: red when one ends a binding.

The address itself permits the undo: it stands in one chat alone, and its page sends no referrer elsewhere.
"""

from collections.abc import Callable
from typing import Any

import pytest
from altering import altered
from harness import World, client
from noticing import known_follower, noticed, noticing, page, press, signed_up

from service.app_keys import KEYRING
from service.crypto.keyring import Capability

Make = Callable[..., Any]


@pytest.fixture
async def town(make: Make) -> World:
    return await noticing(make)


async def test_a_link_that_is_opened_ahead_undoes_nothing(town: World) -> None:
    """As link checks of WeChat, mail programs and browsers that prefetch do."""
    _, path = await noticed(town)
    for headers in ({"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch"}, {"User-Agent": "MicroMessenger/8"}):
        for method in ("GET", "HEAD"):
            assert (await town.call(method, path, headers=headers)).status == 200
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await town.call(method, path)).status == 405
    assert len(await town.bindings("42")) == 1


async def test_an_address_undoes_no_other_persons_bind(town: World) -> None:
    _, path = await noticed(town)
    other = await known_follower(town)
    await signed_up(town, other, "43")
    await press(town, path)
    assert [len(await town.bindings(user)) for user in ("42", "43")] == [0, 1]


@pytest.mark.parametrize(
    "spoil",
    [
        altered,
        lambda given: "B" + given[1:],
        lambda given: given.partition(".")[0],
        lambda given: given + "A",
        lambda given: "made-up",
    ],
    ids=["another MAC", "another name", "no MAC", "longer", "made up"],
)
async def test_an_address_that_was_not_signed_is_explained(town: World, spoil: Callable[[str], str]) -> None:
    _, path = await noticed(town)
    wrong = f"/undo/{spoil(path.removeprefix('/undo/'))}"
    assert await page(town, wrong) == (400, "undo-unusable")
    assert (await press(town, wrong, token="x")).status == 400
    assert len(await town.bindings("42")) == 1


async def test_another_clients_key_signs_nothing_for_this_one(make: Make) -> None:
    town = await noticing(make, others={"club": client("club")})
    _, path = await noticed(town)
    name = path.removeprefix("/undo/").partition(".")[0]
    forged = f"/undo/{town.app[KEYRING].newest('club').capability(Capability.UNDO, name)}"
    token = town.app[KEYRING].newest("club").capability(Capability.UNDO_FORM, name)
    assert await page(town, forged) == (200, "undo-gone")
    await press(town, forged, token=token)
    assert len(await town.bindings("42")) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=["no headers", "another origin", "cross-site", "same-site", "typed"],
)
async def test_a_form_of_another_page_undoes_nothing(town: World, headers: dict[str, str]) -> None:
    _, path = await noticed(town)
    assert (await press(town, path, headers=headers)).status == 403
    assert len(await town.bindings("42")) == 1


@pytest.mark.parametrize("token", ["", "x", "capability"])
async def test_a_form_without_the_pages_token_undoes_nothing(town: World, token: str) -> None:
    """Red when the address itself is taken for the token."""
    _, path = await noticed(town)
    given = path.removeprefix("/undo/") if token == "capability" else token
    assert (await press(town, path, token=given)).status == 403
    assert len(await town.bindings("42")) == 1
