"""Rotated and stolen keys: tickets in progress go on, and a removed key opens nothing."""

import hmac
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from harness import Page, World, basic, client, free_port, problem
from portal_client import Visit, link, open_, visit

from service.config.settings import Settings, load
from service.crypto import client_secrets
from service.crypto.client_secrets import ClientSecrets, fresh_secret, hash_of
from service.server.runner import running

OLD, NEW = "k" * 40, "n" * 40
FIRST, SECOND = "the first secret of a site", "the second secret of a site"
LONG_ID = "an id that fits into no scene"
ASKING = {"login": "choose", "bind": "match"}


@asynccontextmanager
async def restarted(world: World, *keys: str) -> AsyncIterator[World]:
    """Start the service anew on the same stores, with other keys, and let WeChat push to that one."""
    settings = load(world.settings.data_dir / "config.yaml", {"SCANBIND_SECRET_KEY": json.dumps(keys)})
    with free_port() as sock:
        async with running(settings, sock=sock, clock=world.clock) as service:
            url = f"http://127.0.0.1:{service.port}"
            world.sandbox.point(f"{url}/wechat/main")
            yield replace(world, url=url, service=service)


def at(world: World, page: Page) -> Page:
    return replace(page, world=world)


async def picture(page: Page) -> int:
    return (await page.world.call("GET", page.made["qr_svg"])).status


async def registered(world: World, user_id: str, registration: str) -> int:
    body = {"user_id": user_id, "registration": registration}
    return (await world.site("POST", "/v1/bindings", body)).status


@pytest.fixture
async def world(make: Any) -> World:
    """A world that signs with the old key, whose shop asks after every scan."""
    started: World = await make(clients={"shop": client("shop", confirm=ASKING), "club": client("club")})
    return started


async def test_nothing_under_way_is_lost_by_a_rotation(world: World) -> None:
    """Red when only the newest key verifies: scenes, secrets, codes, registrations, pictures or links, each."""
    fresh, kept = await world.bind("42"), await world.bind(LONG_ID)
    asked, answered, used = [await world.login() for _ in range(3)]
    people = [await world.person() for _ in range(5)]
    for page, person in zip((asked, answered, used), people, strict=False):
        await world.scan(person, page)
        if page is not asked:
            await world.say(person, (await page.poll())["match"])
    shown = (await asked.poll())["match"]
    code = (await answered.poll())["code"]
    exchanged = await (await world.exchange((await used.poll())["code"])).json()
    unopened, here = await link(world), await visit(world)

    async with restarted(world, NEW, OLD) as after:
        for page, user_id, person in ((fresh, "42", people[3]), (kept, LONG_ID, people[4])):
            assert await picture(at(after, page)) == 200
            assert (await at(after, page).poll())["status"] == "pending"
            await after.scan(person, page)
            await after.say(person, (await at(after, page).poll())["match"])
            assert (await at(after, page).poll())["outcome"] == "bound"
            assert len(await after.bindings(user_id)) == 1
        assert (await at(after, asked).poll())["match"] == shown
        await after.say(people[0], shown)
        late = await after.exchange((await at(after, asked).poll())["code"])
        assert [late.status, (await after.exchange(code)).status] == [200, 200]
        assert await registered(after, "43", exchanged["registration"]) == 201
        assert (await open_(after, unopened["token"])).status == 200
        assert (await Visit(after, here.token, here.secret).call()).status == 200


async def test_what_a_new_key_made_needs_no_old_one(world: World) -> None:
    """Red when anything but the newest key makes what is new."""
    person = await world.person()
    async with restarted(world, NEW, OLD) as between:
        bind, login = await between.bind("42"), await between.login()
        await between.scan(person, login)
        await between.say(person, (await login.poll())["match"])
        exchanged = await (await between.exchange((await login.poll())["code"])).json()
        unopened, here = await link(between), await visit(between)
    async with restarted(world, NEW) as after:
        assert await picture(at(after, bind)) == 200
        await after.scan(await world.person(), bind)
        assert (await at(after, bind).poll())["status"] == "scanned"
        assert await registered(after, "43", exchanged["registration"]) == 201
        assert (await open_(after, unopened["token"])).status == 200
        assert (await Visit(after, here.token, here.secret).call()).status == 200


async def test_a_registration_and_a_session_are_made_by_the_newest_key_from_what_an_old_one_made(
    world: World,
) -> None:
    """Red when `exchange` or `PortalSessions.open` signs with any other key: an old one would be needed longer."""
    person, page, unopened = await world.person(), await world.login(), await link(world)
    await world.scan(person, page)
    await world.say(person, (await page.poll())["match"])
    code = (await page.poll())["code"]
    async with restarted(world, NEW, OLD) as between:
        exchanged = await (await between.exchange(code)).json()
        opened = await (await open_(between, unopened["token"])).json()
    async with restarted(world, NEW) as after:
        assert await registered(after, "43", exchanged["registration"]) == 201
        assert (await Visit(after, unopened["token"], opened["secret"]).call()).status == 200


async def test_a_key_that_has_gone_opens_nothing_any_more(world: World) -> None:
    """Red when the keyring is derived from the old key, too."""
    pending, scanned = await world.bind("42"), await world.login()
    person = await world.person()
    await world.scan(person, scanned)
    shown = (await scanned.poll())["match"]
    unopened, here = await link(world), await visit(world)
    async with restarted(world, NEW) as after:
        for page in (pending, scanned):
            await problem(await at(after, page).raw(), 404, "ticket-not-found")
            await problem(await at(after, page).raw("DELETE"), 404, "ticket-not-found")
            assert await picture(at(after, page)) == 404
        assert await after.scan(person, pending) is None
        assert await after.say(person, shown) is None
        assert (await open_(after, unopened["token"])).status == 404
        assert (await Visit(after, here.token, here.secret).call()).status == 404
        assert await after.bindings("42") == []


async def test_a_code_that_can_be_shown_again_works_and_a_dead_one_is_replaced(world: World) -> None:
    """Red when `TicketFactory.remake` takes the newest key's secret for an old key's ticket, or does so unseen."""
    for user_id in ("42", LONG_ID):
        before, person = await world.bind(user_id, session="s"), await world.person()
        async with restarted(world, NEW, OLD) as between:
            again = await between.bind(user_id, session="s")
            assert (again.status, again.id) == (200, before.id)
            await between.scan(person, again)
            asked = await again.poll()
            assert asked | {"expires_in": 0} == await at(between, before).poll() | {"expires_in": 0}
            await between.say(person, asked["match"])
            assert (await again.poll())["outcome"] == "bound"
    old = await world.bind("44", session="s")
    async with restarted(world, NEW) as after:
        new = await after.bind("44", session="s")
        assert (new.status, new.id != old.id) == (201, True)
        await after.scan(await world.person(), new)
        assert (await new.poll())["status"] == "scanned"


async def test_an_older_questions_numbers_answer_nothing_after_a_rotation(world: World) -> None:
    """Red when an older question's numbers are drawn with the newest key: 'wrong number' would end the newer."""
    person, older = await world.person(), await world.bind("42")
    await world.scan(person, older)
    typed = (await older.poll())["match"]
    async with restarted(world, NEW, OLD) as after:
        newer = await after.bind("43")
        await after.scan(person, newer)
        while (shown := (await newer.poll())["match"]) == typed:  # by chance, one time in ninety
            newer = await after.bind("43", refresh=True)
            await after.scan(person, newer)
        assert await after.say(person, typed) is None
        assert (await newer.poll())["status"] == "scanned"
        await after.say(person, shown)
        assert (await newer.poll())["outcome"] == "bound"


async def test_processes_that_know_both_keys_in_either_order_understand_each_other(world: World) -> None:
    """Red when a key verifies only where it stands first."""
    person = await world.person()
    async with restarted(world, OLD, NEW) as late, restarted(world, NEW, OLD) as early:
        for made_by, met in ((late, early), (early, late)):
            page = await made_by.login()
            await made_by.scan(person, page)  # WeChat pushes to the process that started last
            state = await at(met, page).poll()
            await made_by.say(person, state["match"])
            code = (await at(met, page).poll())["code"]
            assert (await met.exchange(code)).status == 200


async def test_a_code_of_one_clients_old_key_is_not_anothers(world: World) -> None:
    """Red when `CodeExchange` neither asks whose ticket it is nor keeps to the client's own keys."""
    person, page = await world.person(), await world.login(client="club")
    await world.scan(person, page)
    code = (await page.poll())["code"]
    async with restarted(world, NEW, OLD) as after:
        await problem(await after.exchange(code, client="shop"), 400, "invalid-code")
        exchanged = await after.exchange(code, client="club")
        assert exchanged.status == 200
        registration = (await exchanged.json())["registration"]
        assert await registered(after, "42", registration) == 400


async def entered(world: World, secret: str) -> int:
    return (await world.call("GET", "/v1/bindings/42", headers=basic("shop", secret))).status


async def test_both_secrets_work_while_one_replaces_the_other_as_text_or_hash(make: Any) -> None:
    """Red when only the first secret, or only the first hash, is compared."""
    texts, hashed = [fresh_secret(), fresh_secret()], [fresh_secret(), fresh_secret()]
    hashes = [hash_of(secret.encode()) for secret in hashed]
    world = await make(clients={"shop": client("shop", secret=texts, secret_hash=hashes)})
    assert [await entered(world, secret) for secret in texts + hashed] == [200] * 4
    assert await entered(world, fresh_secret()) == 401


async def test_a_hash_is_not_a_secret(make: Any) -> None:
    """Red when what is given is compared as it is, beside its hash."""
    secret = fresh_secret()
    hashed = hash_of(secret.encode())
    world = await make(clients={"shop": client("shop", secret=[], secret_hash=hashed)})
    assert await entered(world, secret) == 200
    for wrong in (hashed, hashed.removeprefix("sha256:"), "sha256:", "", "A" * 43, "sha256:" + "A" * 43):
        assert await entered(world, wrong) == 401


async def test_no_secret_is_in_the_settings_shown_or_in_a_log(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Red when `secret` or `secret_hash` is no SecretStr, or when `require_client` logs the password."""
    caplog.set_level(logging.DEBUG)
    secret, other = fresh_secret(), fresh_secret()
    hashed = hash_of(secret.encode())
    world = await make(clients={"shop": client("shop", secret=other, secret_hash=hashed)})
    for given in (secret, other, f"{secret}x"):
        await entered(world, given)
    text = repr(world.settings) + "\n".join(str(record.__dict__) for record in caplog.records)
    text += await (await world.call("GET", "/metrics")).text()
    for hidden in (secret, other, hashed.removeprefix("sha256:"), OLD):
        assert hidden not in text


@pytest.mark.parametrize("secret", [FIRST, SECOND, "wrong", ""])
def test_as_much_is_compared_for_every_client_and_every_secret(
    secret: str, monkeypatch: pytest.MonkeyPatch, world_settings: Settings
) -> None:
    """Red when `prove` stops at the first that fits, or compares nothing for a client that it does not know."""
    compared: list[int] = []
    compare = hmac.compare_digest

    def counted(one: str, other: str) -> bool:
        compared.append(len(one) + len(other))
        return compare(one, other)

    monkeypatch.setattr(client_secrets.hmac, "compare_digest", counted)
    proofs = ClientSecrets(world_settings.clients)
    told = {name: proofs.prove(name, secret.encode()) for name in ("shop", "club", "nobody")}
    assert told == {"shop": secret in (FIRST, SECOND), "club": secret == FIRST, "nobody": False}
    assert compared == [100] * 12


@pytest.fixture
def world_settings(tmp_path: Any) -> Settings:
    clients = {"shop": client("shop", secret=[FIRST, SECOND]), "club": client("club", secret=FIRST)}
    file = tmp_path / "config.yaml"
    account = {"appid": "wx0123456789abcdef", "secret": "s", "token": "t", "aes_key": "a" * 43}
    file.write_text(json.dumps({"accounts": {"main": account}, "clients": clients}))
    return load(file, {})
