"""Forged pushes have no effect.

The attacker sees every push and every answer and may send anything; they lack the token, AES key and stores.
"""

from dataclasses import replace
from typing import Any

import pytest
from attacked_pushes import MODES, SEALED, Make, again, asked, in_mode, untouched
from harness import ACCOUNT, SECOND, problem
from posting import NONCE, prepared

from sandbox.account import OfficialAccount
from sandbox.crypto import sign
from sandbox.envelope import wrap


@MODES
async def test_a_scan_made_up_without_the_token_is_refused(make: Make, mode: str) -> None:
    """Red when `_signer` takes any signature for the first token's."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    good = push.request()
    async with untouched(world):
        for token in ("", "x", ACCOUNT.token[:-1], ACCOUNT.token.upper(), ACCOUNT.secret, ACCOUNT.appid):
            await problem(await push.send(push.request(token=token)), 403, "bad-signature")
        for name in [name for name in good.query if "signature" in name]:
            for forged in ("", "0" * 40, good.query[name].upper(), good.query[name][:-1], sign("", NONCE)):
                if mode == "plain" or name == "msg_signature":
                    response = await push.send(good, query={**good.query, name: forged})
                    await problem(response, 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"
    assert (await push.send(good)).status == 200


@SEALED
async def test_a_seen_query_signs_no_other_body(make: Make, mode: str) -> None:
    """Red when the parts of `signature`, which leave out Encrypt, are enough."""
    world = await in_mode(make, mode)
    _, _, seen = await asked(world)
    push, page = await prepared(world)
    mine = push.request()
    guessed = push.request(aes_key="x" * 43)
    async with untouched(world):
        for body in (
            mine.body,
            guessed.body,
            push.request(mode="plain").body,
            seen.body.replace(b"]]></Encrypt>", b"A]]></Encrypt>"),
        ):
            await problem(await push.send(seen, body=body), 403, "bad-signature")
        for signature in (mine.query["msg_signature"], seen.query["signature"]):
            await problem(await again(world, seen, msg_signature=signature), 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"


async def test_a_seen_query_of_plain_mode_signs_any_body_until_its_stamp_is_old(make: Make) -> None:
    """Why plain mode must be asked for by name. Red at the end when `open` looks at no clock."""
    world = await in_mode(make, "plain")
    _, _, seen = await asked(world)
    push, page = await prepared(world)
    assert (await push.send(seen, body=push.request().body)).status == 200
    assert (await page.poll())["status"] == "confirmed"
    world.clock.advance(301)
    push, page = await prepared(world)
    async with untouched(world):
        await problem(await push.send(seen, body=push.request().body), 403, "bad-signature")


async def test_what_stands_in_the_clear_beside_the_sealed_has_no_effect(make: Make) -> None:
    """Red when compatible mode reads the outer fields, and at the end when ToUserName is compared with nothing."""
    world = await in_mode(make, "compatible")
    victim = await world.bound("victim")
    openid = world.sandbox.contact(victim).openid
    push, page = await prepared(world)
    request = push.request()
    for old, new in ((push.contact.openid, openid), ("SCAN", "unsubscribe"), ("[event]", "[text]")):
        assert old.encode() in request.body
        response = await push.send(request, body=request.body.replace(old.encode(), new.encode()))
        assert response.status == 200
    assert (await page.poll())["status"] == "confirmed"
    assert len(await world.bindings("victim")) == 1
    async with untouched(world):
        other = request.body.replace(ACCOUNT.gh_id.encode(), SECOND.gh_id.encode())
        await problem(await push.send(request, body=other), 400, "invalid-request")


@SEALED
@pytest.mark.parametrize("downgrade", ["missing", "raw", "aes"])
async def test_an_account_that_encrypts_takes_nothing_in_the_clear(make: Make, mode: str, downgrade: str) -> None:
    """Red when what is not `aes` is opened as plain, or an empty Encrypt may be signed by the query alone."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    clear = push.request(mode="plain")
    encrypt_type = {} if downgrade == "missing" else {"encrypt_type": downgrade}
    query = {**clear.query, **encrypt_type}
    bare = push.request(mode="plain").body.replace(b"</xml>", b"<Encrypt></Encrypt></xml>")
    async with untouched(world):
        for more in ({}, {"msg_signature": clear.query["signature"]}):
            for body in (clear.body, bare):
                await problem(await push.send(clear, query={**query, **more}, body=body), 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"


@pytest.mark.parametrize(
    "other",
    [
        replace(ACCOUNT, appid=SECOND.appid),
        replace(ACCOUNT, aes_key=SECOND.aes_key),
        replace(SECOND, token=ACCOUNT.token),
    ],
)
@SEALED
async def test_a_push_sealed_for_another_account_is_refused(make: Make, mode: Any, other: OfficialAccount) -> None:
    """Red, with one key for both, when the appid inside is not compared."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    request = wrap(push.fields, replace(other, mode=mode), now=world.clock.seconds())
    async with untouched(world):
        await problem(await push.send(request), 400, "invalid-request")
    assert (await page.poll())["status"] == "pending"


@MODES
async def test_a_push_to_another_original_id_is_refused(make: Make, mode: str) -> None:
    """Red when `PushAccount.open` does not look at gh_id."""
    world = await in_mode(make, mode, gh_id=ACCOUNT.gh_id)
    push, page = await prepared(world)
    mine = push.request()
    push.fields = {**push.fields, "ToUserName": SECOND.gh_id}
    async with untouched(world):
        await problem(await push.send(push.request()), 400, "invalid-request")
    assert (await push.send(mine)).status == 200
    assert (await page.poll())["status"] == "confirmed"
