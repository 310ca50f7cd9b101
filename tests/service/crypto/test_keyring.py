"""Keys of one ticket or client are useless for another's."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.binding import UserId
from models.events import OpenId
from models.method import Method
from models.scene import NONCE_LENGTH, Kind, Scene, make, read_ticket, signed
from models.ticket import TicketId
from service.crypto.keyring import ClientKeys, Keyring

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BERT = OpenId("oAnna"), OpenId("oBert")
ONE, TWO = TicketId("A" * 28), TicketId("B" * 28)
URL = "http://weixin.qq.com/q/02abc?x=1&y=é"


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.derive(("k" * 40,), ["shop", "club"])


@pytest.fixture
def shop(keyring: Keyring) -> ClientKeys:
    return keyring.newest("shop")


def test_keys_are_the_same_in_every_process(keyring: Keyring) -> None:
    again = Keyring.derive(("k" * 40,), ["shop", "club"])
    assert again.newest("shop") == keyring.newest("shop")
    assert again.open_qr(keyring.seal_qr(URL, NOW)) == (URL, NOW)


def test_no_two_keys_are_alike(keyring: Keyring) -> None:
    other = Keyring.derive(("l" * 40,), ["shop", "club"])
    found = [ring.newest(client) for ring in (keyring, other) for client in ("shop", "club")]
    keys = [getattr(one, field.name) for one in found for field in fields(one) if field.type is bytes]
    keys += [key for one in found for key in one._capabilities.values()]
    assert len(keys) == len(set(keys)) == 72


def test_a_key_never_shows_itself(keyring: Keyring, shop: ClientKeys) -> None:
    assert "scene" not in repr(keyring) + repr(shop)
    assert shop.hint not in repr(keyring) + repr(shop)


def test_a_secret_opens_its_ticket_alone(keyring: Keyring, shop: ClientKeys) -> None:
    secret = shop.secret(ONE)
    assert keyring.authenticate(ONE, secret) is shop
    assert keyring.authenticate(TWO, secret) is None
    assert shop.secret(ONE) != shop.secret(TWO)


def test_another_clients_secret_never_verifies(keyring: Keyring, shop: ClientKeys) -> None:
    club = keyring.newest("club")
    assert keyring.authenticate(ONE, club.secret(ONE)) is club
    assert keyring.authenticate(ONE, shop.hint + club.secret(ONE)[4:]) is None
    assert keyring.authenticate(ONE, club.hint + shop.secret(ONE)[4:]) is None


def test_clients_whose_hints_collide_are_still_told_apart() -> None:
    """Four characters of hint are shared by chance sooner or later; they prove nothing."""
    clients = [f"client{number}" for number in range(6000)]
    ring = Keyring.derive(("k" * 40,), clients)
    by_hint: dict[str, list[ClientKeys]] = {}
    for keys in map(ring.newest, clients):
        by_hint.setdefault(keys.hint, []).append(keys)
    shared = [both for both in by_hint.values() if len(both) > 1]
    assert shared
    for one, other, *_ in shared:
        assert ring.authenticate(ONE, one.secret(ONE)) is one
        assert ring.authenticate(ONE, other.secret(ONE)) is other


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + "A", str.lower, lambda s: "", lambda s: s[:4]])
def test_a_secret_that_is_not_exact_opens_nothing(keyring: Keyring, shop: ClientKeys, change: object) -> None:
    assert callable(change)
    assert keyring.authenticate(ONE, change(shop.secret(ONE))) is None


@given(given_secret=st.text(st.characters(codec=None), max_size=40))
def test_any_text_as_a_secret_is_answered_as_a_wrong_one(given_secret: str) -> None:
    ring = Keyring.derive(("k" * 40,), ["shop"])
    hint = ring.newest("shop").hint
    assert ring.authenticate(ONE, given_secret) is None
    assert ring.authenticate(ONE, hint + given_secret) is None


def test_a_lone_surrogate_is_never_equal_to_anything(shop: ClientKeys) -> None:
    assert not shop.same("\ud800" * 36, shop.secret(ONE))
    assert not shop.same("é", shop.secret(ONE))
    assert shop.same("abc", "abc")


def test_a_code_belongs_to_one_ticket_person_and_moment(keyring: Keyring, shop: ClientKeys) -> None:
    code = shop.code(ONE, ANNA, NOW)
    others = [
        shop.code(TWO, ANNA, NOW),
        shop.code(ONE, BERT, NOW),
        shop.code(ONE, ANNA, NOW + timedelta(milliseconds=1)),
        shop.registration(ONE, ANNA, NOW),
        keyring.newest("club").code(ONE, ANNA, NOW),
    ]
    assert code not in others
    assert all(len(one) == len(code) for one in others)
    assert code == shop.code(ONE, ANNA, NOW)
    assert code.startswith(f"{ONE}.")


def test_a_code_survives_a_store_that_keeps_milliseconds(shop: ClientKeys) -> None:
    precise = NOW.replace(microsecond=123_000)
    assert shop.code(ONE, ANNA, precise) == shop.code(ONE, ANNA, datetime.fromtimestamp(precise.timestamp(), UTC))


def test_secrets_and_codes_share_nothing(shop: ClientKeys) -> None:
    tails = {
        shop.secret(ONE)[4:],
        shop.code(ONE, ANNA, NOW).partition(".")[2],
        shop.registration(ONE, ANNA, NOW).partition(".")[2],
    }
    assert len(tails) == 3
    assert {len(tail) for tail in tails} == {32}


def test_numbers_and_marks_are_each_tickets_own(keyring: Keyring, shop: ClientKeys) -> None:
    tickets = [TicketId(f"{number:028}") for number in range(500)]
    assert len({shop.mark(ticket) for ticket in tickets}) > 495
    assert len({shop.numbers(ticket).match for ticket in tickets}) > 80
    club = keyring.newest("club")
    assert sum(shop.numbers(ticket).match == club.numbers(ticket).match for ticket in tickets) < 20
    assert shop.numbers(ONE) == shop.numbers(ONE)


def test_a_qr_capability_shows_its_code_until_it_ends(keyring: Keyring) -> None:
    sealed = keyring.seal_qr(URL, NOW.replace(microsecond=5))
    assert keyring.open_qr(sealed) == (URL, NOW)
    assert set(sealed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_no_character_of_a_capability_can_be_changed(keyring: Keyring) -> None:
    sealed = keyring.seal_qr(URL, NOW)
    forged = [sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :] for at in range(len(sealed))]
    forged += [sealed[:-1], sealed + "A", sealed[1:], "", sealed[:32], "é" * 40]
    assert [one for one in forged if keyring.open_qr(one)] == []


def test_another_services_capability_shows_nothing(keyring: Keyring) -> None:
    assert keyring.open_qr(Keyring.derive(("l" * 40,), ["shop"]).seal_qr(URL, NOW)) is None


@pytest.fixture
def rotated() -> Keyring:
    return Keyring.derive(("n" * 40, "k" * 40), ["shop", "club"])


def scene_of(keys: ClientKeys, user_id: UserId) -> Scene:
    return make(
        method=Method.SCAN,
        kind=Kind.BIND,
        lang=None,
        expires_at=NOW,
        nonce="A" * NONCE_LENGTH,
        client=keys.client,
        account="main",
        user_id=user_id,
        key=keys.scene,
    )


def test_the_newest_key_makes_and_every_key_verifies(keyring: Keyring, rotated: Keyring, shop: ClientKeys) -> None:
    new, user_id = rotated.newest("shop"), UserId("42")
    assert new == Keyring.derive(("n" * 40,), ["shop"]).newest("shop")
    assert new != shop
    for keys in (new, shop):
        scene, secret, code = scene_of(keys, user_id), keys.secret(ONE), keys.code(ONE, ANNA, NOW)
        assert rotated.maker(scene, client="shop", account="main", user_id=user_id) == keys
        assert rotated.authenticate(ONE, secret) == keys
        assert rotated.made(code, "shop", lambda one: one.code(ONE, ANNA, NOW))
    for ring in (rotated, keyring):
        assert rotated.open_qr(ring.seal_qr(URL, NOW)) == (URL, NOW)
    assert keyring.open_qr(rotated.seal_qr(URL, NOW)) is None


def test_a_key_that_has_gone_verifies_nothing(rotated: Keyring, shop: ClientKeys, keyring: Keyring) -> None:
    ring = Keyring.derive(("n" * 40,), ["shop", "club"])
    scene = scene_of(shop, UserId("42"))
    assert ring.maker(scene, client="shop", account="main", user_id=UserId("42")) is None
    assert ring.authenticate(ONE, shop.secret(ONE)) is None
    assert not ring.made(shop.code(ONE, ANNA, NOW), "shop", lambda one: one.code(ONE, ANNA, NOW))
    assert ring.open_qr(keyring.seal_qr(URL, NOW)) is None


def test_no_generation_of_one_client_verifies_anothers(rotated: Keyring, keyring: Keyring) -> None:
    user_id = UserId("42")
    for club in (keyring.newest("club"), rotated.newest("club")):
        scene, code = scene_of(club, user_id), club.code(ONE, ANNA, NOW)
        assert rotated.maker(scene, client="shop", account="main", user_id=user_id) is None
        assert not rotated.made(code, "shop", lambda keys: keys.code(ONE, ANNA, NOW))
        assert rotated.made(code, "club", lambda keys: keys.code(ONE, ANNA, NOW))
        assert not rotated.made(code, "nobody", lambda keys: keys.code(ONE, ANNA, NOW))


def test_the_scene_of_a_code_is_verified_for_its_app_and_shows_no_tag_of_the_ticket() -> None:
    """Red when an older generation's codes are forgotten, or when the ticket or another app verifies."""
    old, new = (Keyring.derive(keys, ["shop", "club"]) for keys in (("k" * 40,), ("n" * 40, "k" * 40)))
    keys = old.newest("club")
    head = make(
        method=Method.MINIPROGRAM,
        kind=Kind.LOGIN_PAGE,
        lang=None,
        expires_at=NOW,
        nonce="n" * NONCE_LENGTH,
        client="club",
        account="mini",
        key=keys.scene,
    ).head
    scene = read_ticket(keys.code_scene(head, "mini"))
    assert scene
    assert (len(scene.ticket), scene.body, scene.expires_at) == (32, head.body, NOW)
    assert scene.ticket != head.ticket
    for ring in (old, new):
        assert ring.maker_of_code(scene, "mini") == keys
        assert ring.maker_of_code(scene, "other") is None
        assert ring.maker_of_code(head, "mini") is None
    assert signed(scene, client="club", account="mini", key=keys.scene).head == head
