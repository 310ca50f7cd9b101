"""A photograph of the page: ticket, QR code and pictures are known, the secret is not."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from harness import ORIGIN, Page, World, basic, client
from portal_client import bearer

from models.scene import ALPHABET

EACH_TIME = {"date", "x-request-id"}
UNLIKE = re.compile(r'"instance":"[^"]*"')
DOORS = (
    ("GET", "/v1/tickets/{ticket}"),
    ("DELETE", "/v1/tickets/{ticket}"),
    ("GET", "/v1/tickets/{ticket}/events"),
    ("GET", "/v1/tickets/{ticket}/code"),
    ("GET", "/v1/portal-sessions/{ticket}"),
    ("POST", "/v1/portal-sessions/{ticket}/open"),
    ("GET", "/portal/open/{ticket}"),
    ("GET", "/v1/qr/{ticket}.svg"),
)
BODIES = (
    ("POST", "/v1/exchange", {"code": "{ticket}"}),
    ("POST", "/v1/exchange", {"code": "{ticket}.{capability}"}),
    ("POST", "/v1/bindings", {"user_id": "1", "registration": "{ticket}.{capability}"}),
)


def photographed(page: Page) -> dict[str, str]:
    """Return all that the page shows and its addresses say."""
    capability = page.made["qr_svg"].removeprefix("/v1/qr/").removesuffix(".svg")
    return {"ticket": page.id, "capability": capability, "code": page.made["qr_url"].rpartition("/")[2]}


def made_up(seen: dict[str, str]) -> dict[str, str]:
    """Return the same of a ticket that there never was: the last character of its nonce is another."""
    ticket = seen["ticket"]
    other = ALPHABET[(ALPHABET.index(ticket[11]) + 1) % 64]
    return {**seen, "ticket": f"{ticket[:11]}{other}{ticket[12:]}"}


async def told(world: World, seen: dict[str, str]) -> list[Any]:
    """Try every door with everything that was photographed; return the answers but for what differs each time."""
    following = {"Origin": ORIGIN, "If-None-Match": '"x"', "Prefer": "wait=1"}
    proofs = ({}, basic(secret=seen["ticket"]), *(bearer(one) for one in seen.values()))
    calls = [(*source, {"headers": following | proof}) for source in DOORS for proof in proofs]
    calls += [
        (method, path, {"json": {name: value.format_map(seen) for name, value in body.items()}, "headers": proof})
        for method, path, body in BODIES
        for proof in ({}, basic("club"), basic("shop"))
    ]
    answers = []
    for method, path, how in calls:
        answer = await world.call(method, path.format_map(seen), allow_redirects=False, **how)
        assert answer.status in (400, 401, 404, 410)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in EACH_TIME}
        answers.append((method, path, answer.status, headers, UNLIKE.sub("", await answer.text())))
    return answers


async def _nothing(world: World, page: Page, person: Any) -> None:
    pass


async def _scanned(world: World, page: Page, person: Any) -> None:
    await world.scan(person, page)
    assert (await page.poll())["match"]


async def _confirmed(world: World, page: Page, person: Any) -> None:
    await _scanned(world, page, person)
    await world.say(person, (await page.poll())["match"])
    assert (await page.poll())["status"] == "confirmed"


async def _rejected(world: World, page: Page, person: Any) -> None:
    await world.scan(person, page)
    await world.sandbox.tap(person, "Not me")


async def _cancelled(world: World, page: Page, person: Any) -> None:
    assert (await page.raw("DELETE")).status == 204


@pytest.mark.parametrize("purpose", ["login", "bind"])
@pytest.mark.parametrize("reach", [_nothing, _scanned, _confirmed, _rejected, _cancelled])
async def test_a_photograph_of_the_page_reveals_and_changes_nothing(
    make: Any, reach: Callable[..., Any], purpose: str
) -> None:
    """Red when `Keyring.authenticate` takes any secret, when `CodeExchange._ending` tells an unknown ticket."""
    world: World = await make(clients={"shop": client("shop", confirm="match"), "club": client("club")})
    person = await world.bound("7", client="club")
    page = await world.login() if purpose == "login" else await world.bind("42")
    await reach(world, page, person)
    before = await page.poll()
    seen = photographed(page)
    assert await told(world, seen) == await told(world, made_up(seen))
    assert await page.poll() | {"expires_in": 0} == before | {"expires_in": 0}


async def test_the_picture_says_no_more_than_the_code_itself(world: World) -> None:
    """Red when `Keyring.seal_qr` seals anything but the end and the address of the code."""
    page = await world.login()
    raw = base64.urlsafe_b64decode(photographed(page)["capability"][32:] + "==")
    assert raw[5:].decode() == page.made["qr_url"]
    scene = world.sandbox.code(page.made["qr_url"]).scene
    for hidden in (page.id, scene, page.made["secret"]):
        assert hidden not in page.made["qr_url"] + page.made["qr_svg"] + raw.decode(errors="replace")
