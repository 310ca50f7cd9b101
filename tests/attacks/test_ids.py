"""Tickets, codes, secrets, registrations and portal links cannot be chosen, predicted or altered."""

import random
import string
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness import ORIGIN, World, client, problem
from portal_client import bearer, link, open_, visit

Try = Callable[[str], Awaitable[int]]
"""Hands in a token in place of the genuine one; returns the status."""


@pytest.fixture
async def world(make: Any) -> World:
    started: World = await make(
        clients={"shop": client("shop"), "club": client("club")},
        limits={"tickets_per_address": 0, "tickets_per_client": 0},
    )
    return started


async def _code(world: World) -> str:
    page = await world.login()
    await world.scan(await world.person(), page)
    return str((await page.until("confirmed"))["code"])


async def _ticket(world: World) -> tuple[str, Try]:
    page = await world.login()
    return page.id, lambda text: _get(world, f"/v1/tickets/{text}", page.made["secret"])


async def _secret(world: World) -> tuple[str, Try]:
    page = await world.bind("42")
    return page.made["secret"], lambda text: _get(world, f"/v1/tickets/{page.id}", text)


async def _capability(world: World) -> tuple[str, Try]:
    page = await world.login()
    capability = page.made["qr_svg"].removeprefix("/v1/qr/").removesuffix(".svg")
    return capability, lambda text: _get(world, f"/v1/qr/{text}.svg")


async def _exchange(world: World) -> tuple[str, Try]:
    return await _code(world), lambda text: _post(world, "/v1/exchange", {"code": text})


async def _registration(world: World) -> tuple[str, Try]:
    told = await (await world.exchange(await _code(world))).json()
    return told["registration"], lambda text: _post(world, "/v1/bindings", {"user_id": "9", "registration": text})


async def _link(world: World) -> tuple[str, Try]:
    made = await link(world)

    async def attempt(text: str) -> int:
        return (await open_(world, text, session=made["token"].partition(".")[0])).status

    return made["token"], attempt


async def _session(world: World) -> tuple[str, Try]:
    here = await visit(world)
    return here.secret, lambda text: _get(world, f"/v1/portal-sessions/{here.id}", text)


async def _get(world: World, path: str, proof: str = "") -> int:
    return (await world.call("GET", path, headers=bearer(proof) if proof else {})).status


async def _post(world: World, path: str, body: Any) -> int:
    return (await world.site("POST", path, body)).status


def bent(token: str) -> list[str]:
    """Return what some decoder, table or comparison might take for *token*."""
    after = dict(zip(_BASE64, _BASE64[1:] + _BASE64[0], strict=True)) | {".": "A"}
    changed = [
        f"{token[:at]}{other}{token[at + 1 :]}"
        for at, this in enumerate(token)
        for other in (after[this], this.swapcase())
    ]
    wide = token.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
    others = [
        token.swapcase(), token.lower(), token.upper(), token[:-1], token[1:], f"{token}A", f"A{token}",
        f"{token}=", f"{token}==", token.replace("-", "+").replace("_", "/") + "=", token + token, token[::-1],
        wide, f"{token}\u0000", f"{token}\u200b", f"{token}\u0301", f"{token}%00", "",
    ]  # fmt: skip
    return [one for one in changed + others if one != token]


_BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.mark.parametrize("take", [_ticket, _secret, _capability, _exchange, _registration, _link, _session])
async def test_no_bent_token_passes_and_the_true_one_still_does(world: World, take: Any) -> None:
    """Red when `ClientKeys.same`, `Keyring.authenticate` or `Keyring.open_qr` compares in lower case."""
    token, attempt = await take(world)
    for guess in bent(token):
        try:
            status = await attempt(guess)
        except (ValueError, UnicodeEncodeError):
            continue  # no client can send it in a header
        assert 400 <= status < 500, guess
    assert 200 <= await attempt(token) < 300


async def test_callers_choose_no_ids(world: World) -> None:
    """Red when `RequestBody` ignores unknown fields."""
    page, token = await world.login(), (await link(world))["token"]
    names = (
        "ticket",
        "id",
        "secret",
        "nonce",
        "scene",
        "scene_str",
        "code",
        "expires_at",
        "token",
        "registration",
    )
    for name in names:
        for body in ({"purpose": "login"}, {"purpose": "bind", "user_id": "42"}):
            told = await problem(
                await world.site("POST", "/v1/tickets", body | {name: page.id}), 400, "invalid-request"
            )
            assert name in told["detail"]
        response = await world.site("POST", "/v1/portal-sessions", {"user_id": "42", name: token})
        await problem(response, 400, "invalid-request")
    queried = f"/v1/tickets?ticket={page.id}&secret={page.made['secret']}"
    body = {"purpose": "login", "client_id": "shop"}
    headers = {"Origin": ORIGIN, "X-Ticket": page.id, "Cookie": f"ticket={page.id}; scanbind_portal={token}"}
    made = await (await world.call("POST", queried, json=body, headers=headers)).json()
    assert made["ticket"] != page.id
    assert made["secret"] != page.made["secret"]


async def test_a_session_name_of_another_user_returns_no_ticket_of_theirs(world: World) -> None:
    """Red when `BindRequests.live` leaves out the client or the user."""
    mine = await world.bind("42", session="s")
    for user, name in (("43", "shop"), ("42", "club"), ("42\u200d", "shop")):
        body = {"purpose": "bind", "user_id": user, "session": "s"}
        response = await world.site("POST", "/v1/tickets", body, client=name)
        if response.status != 400:
            made = await response.json()
            assert (response.status, made["ticket"] == mine.id) == (201, False)
    assert (await mine.poll())["status"] == "pending"


async def test_tickets_cannot_be_predicted_from_the_state_of_random(world: World) -> None:
    """Red when `TicketFactory.make` or `PortalSessions.start` draws from `random`."""
    seen: list[list[str]] = []
    for _ in range(2):
        random.seed(1)
        page, here = await world.login(), await link(world)
        bind = await world.bind("42", refresh=True)
        seen.append([page.id[7:23], bind.id[7:12], here["token"].partition(".")[0]])
    assert not set(seen[0]) & set(seen[1])
