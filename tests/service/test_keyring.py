"""Keys of one ticket or client open nothing of another's; what is derived is never guessed from its neighbour."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.event import OpenId
from models.ticket import TicketId
from service.keyring import ClientKeys, Keyring

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BERT = OpenId("oAnna"), OpenId("oBert")
ONE, TWO = TicketId("A" * 28), TicketId("B" * 28)
URL = "http://weixin.qq.com/q/02abc?x=1&y=é"


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.derive("k" * 40, ["shop", "club"])


@pytest.fixture
def shop(keyring: Keyring) -> ClientKeys:
    return keyring.clients["shop"]


def test_keys_are_the_same_in_every_process(keyring: Keyring) -> None:
    again = Keyring.derive("k" * 40, ["shop", "club"])
    assert again.clients["shop"] == keyring.clients["shop"]
    assert again.open_qr(keyring.seal_qr(URL, NOW)) == (URL, NOW)


def test_no_two_keys_are_alike(keyring: Keyring) -> None:
    other = Keyring.derive("l" * 40, ["shop", "club"])
    keys = [
        getattr(keys, field.name)
        for ring in (keyring, other)
        for keys in ring.clients.values()
        for field in fields(keys)
        if field.type is bytes
    ]
    assert len(keys) == len(set(keys)) == 28


def test_a_key_never_shows_itself(keyring: Keyring, shop: ClientKeys) -> None:
    assert "scene" not in repr(keyring) + repr(shop)
    assert shop.hint not in repr(keyring) + repr(shop)


def test_a_secret_opens_its_ticket_alone(keyring: Keyring, shop: ClientKeys) -> None:
    secret = shop.secret(ONE)
    assert keyring.whose(ONE, secret) is shop
    assert keyring.whose(TWO, secret) is None
    assert shop.secret(ONE) != shop.secret(TWO)


def test_another_clients_secret_never_verifies(keyring: Keyring, shop: ClientKeys) -> None:
    club = keyring.clients["club"]
    assert keyring.whose(ONE, club.secret(ONE)) is club
    assert keyring.whose(ONE, shop.hint + club.secret(ONE)[4:]) is None
    assert keyring.whose(ONE, club.hint + shop.secret(ONE)[4:]) is None


def test_clients_whose_hints_collide_are_still_told_apart() -> None:
    """Four characters of hint are shared by chance sooner or later; they prove nothing."""
    ring = Keyring.derive("k" * 40, [f"client{number}" for number in range(6000)])
    by_hint: dict[str, list[ClientKeys]] = {}
    for keys in ring.clients.values():
        by_hint.setdefault(keys.hint, []).append(keys)
    shared = [both for both in by_hint.values() if len(both) > 1]
    assert shared
    for one, other, *_ in shared:
        assert ring.whose(ONE, one.secret(ONE)) is one
        assert ring.whose(ONE, other.secret(ONE)) is other


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + "A", str.lower, lambda s: "", lambda s: s[:4]])
def test_a_secret_that_is_not_exact_opens_nothing(keyring: Keyring, shop: ClientKeys, change: object) -> None:
    assert callable(change)
    assert keyring.whose(ONE, change(shop.secret(ONE))) is None


@given(given_secret=st.text(st.characters(codec=None), max_size=40))
def test_whatever_is_sent_as_a_secret_is_only_wrong(given_secret: str) -> None:
    ring = Keyring.derive("k" * 40, ["shop"])
    hint = ring.clients["shop"].hint
    assert ring.whose(ONE, given_secret) is None
    assert ring.whose(ONE, hint + given_secret) is None


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
        keyring.clients["club"].code(ONE, ANNA, NOW),
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
    club = keyring.clients["club"]
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
    assert keyring.open_qr(Keyring.derive("l" * 40, ["shop"]).seal_qr(URL, NOW)) is None
