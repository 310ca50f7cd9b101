"""Sealed calls are compact JWEs that other implementations read and write, and nothing else opens.

Red when the header may say anything more, when a key of another client opens, or when trailing bytes are ignored.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey
from sealed import KEYS, decoded, encoded, header, sealed, unsealed

from service.config.settings import validate
from service.config.types import MOST_SECRETS
from service.crypto import sealing
from service.crypto.sealing import Envelope, SealingKeys, fresh_sealing_key

GOLDEN = json.loads((Path(__file__).parents[2] / "samples" / "jose" / "sealed_calls.json").read_text("utf-8"))
ACCOUNT = {"appid": "wx2c2769f8efd9abc2", "secret": "app-secret", "token": "spamtest", "aes_key": "a" * 43}
OTHER = encoded(bytes(32))

each_vector = pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["name"])


def keys(**of_clients: Any) -> SealingKeys:
    common = {"name": "Shop", "accounts": ["main"], "secret": "a secret of a client"}
    clients = {name: {**common, "sealing_key": key} for name, key in of_clients.items()}
    return SealingKeys(validate({"accounts": {"main": ACCOUNT}, "clients": clients}).clients)


def opens(ring: SealingKeys, compact: str) -> bytes | None:
    try:
        opened = ring.open(Envelope.read(compact.encode()))
    except ValueError:
        return None
    return opened and opened.plaintext


@each_vector
def test_the_service_opens_what_is_written_down(vector: dict[str, str]) -> None:
    assert opens(keys(crm=[OTHER, vector["key"]]), vector["compact"]) == vector["plaintext"].encode()


@each_vector
def test_an_independent_program_writes_and_reads_the_same(vector: dict[str, str]) -> None:
    """Over AES-GCM alone, without the service's library."""
    how: dict[str, Any] = {"header": vector["header"].encode(), "nonce": decoded(vector["nonce"])}
    assert sealed(vector["plaintext"].encode(), key=vector["key"], **how) == vector["compact"]
    assert unsealed(vector["compact"], key=vector["key"]) == (header("crm"), vector["plaintext"].encode())


@each_vector
def test_the_library_alone_reads_the_same(vector: dict[str, str]) -> None:
    key = OctKey.import_key(decoded(vector["key"]))
    content = jwe.decrypt_compact(vector["compact"], key, algorithms=["dir", "A256GCM"])
    assert (content.plaintext, content.headers()) == (vector["plaintext"].encode(), header("crm"))


@each_vector
def test_what_the_service_seals_is_what_is_written_down_but_for_the_nonce(vector: dict[str, str]) -> None:
    opened = keys(crm=vector["key"]).open(Envelope.read(vector["compact"].encode()))
    assert opened
    compact = opened.seal(vector["plaintext"].encode())
    nonce = decoded(compact.split(".")[2])
    how: dict[str, Any] = {"header": vector["header"].encode(), "nonce": nonce}
    assert compact == sealed(vector["plaintext"].encode(), key=vector["key"], **how)


@given(st.binary(max_size=300))
def test_content_comes_back_and_no_nonce_twice(content: bytes) -> None:
    compact = sealed(content, key=KEYS["shop"], header=header())
    opened = keys(shop=KEYS["shop"]).open(Envelope.read(compact.encode()))
    assert opened
    assert opened.plaintext == content
    made = {opened.seal(content) for _ in range(3)}
    assert len({one.split(".")[2] for one in made}) == 3
    assert {unsealed(one, key=KEYS["shop"])[1] for one in made} == {content}


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it[:4],
        lambda it: [*it, "AAAA"],
        lambda it: [it[0], "AAAA", *it[2:]],
        lambda it: ["A" * 513, *it[1:]],
        lambda it: [*it[:2], it[2][:12], *it[3:]],
        lambda it: [*it[:4], it[4][:16]],
        lambda it: [*it[:4], it[4] + "AA"],
        lambda it: [*it[:4], it[4] + "\n"],
        lambda it: [*it[:3], it[3] + "=", it[4]],
    ],
    ids=["few", "many", "an encrypted key", "a long header", "nonce", "tag", "long tag", "newline", "padding"],
)
def test_the_shape_is_checked_before_a_library_reads_it(change: Callable[[list[str]], list[str]]) -> None:
    """Red when `_COMPACT` leaves a part without bounds."""
    compact = sealed(b"{}", key=KEYS["shop"], header=header())
    assert Envelope.read(compact.encode()).kid == "shop"
    with pytest.raises(ValueError, match="not a compact JWE"):
        Envelope.read(".".join(change(compact.split("."))).encode())


def test_a_key_opens_its_own_clients_calls_alone() -> None:
    ring = keys(shop=KEYS["shop"], club=KEYS["club"])
    assert opens(ring, sealed(b"{}", key=KEYS["shop"], header=header("shop"))) == b"{}"
    for key, client in ((KEYS["shop"], "club"), (KEYS["club"], "shop"), (OTHER, "shop"), (KEYS["shop"], "other")):
        assert opens(ring, sealed(b"{}", key=key, header=header(client))) is None
    opened = ring.open(Envelope.read(sealed(b"{}", key=KEYS["shop"], header=header("shop")).encode()))
    assert opened
    with pytest.raises(InvalidTag):
        unsealed(opened.seal(b"{}"), key=KEYS["club"])


def test_each_of_two_keys_opens_and_seals_its_own_answer() -> None:
    ring = keys(shop=[OTHER, KEYS["shop"]])
    for key in (OTHER, KEYS["shop"]):
        opened = ring.open(Envelope.read(sealed(b"{}", key=key, header=header()).encode()))
        assert opened
        assert unsealed(opened.seal(b"[]"), key=key) == (header(), b"[]")


def test_no_bit_can_be_changed() -> None:
    compact = sealed(b'{"iat":1}', key=KEYS["shop"], header=header())
    ring = keys(shop=KEYS["shop"], shoq=KEYS["shop"])
    for at, sign in enumerate(compact):
        for other in ("A", "B", "-", ".", "="):
            changed = compact[:at] + other + compact[at + 1 :]
            assert other == sign or opens(ring, changed) is None, (at, other)


def test_as_many_keys_are_tried_for_every_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when a client's keys are not padded, or the search stops at the right one: the time would tell."""
    ring, tried = keys(shop=[KEYS["shop"], OTHER], club=KEYS["club"]), []
    real = jwe.decrypt_compact
    monkeypatch.setattr(sealing.jwe, "decrypt_compact", lambda *a, **k: tried.append(1) or real(*a, **k))
    for key, client in ((KEYS["shop"], "shop"), (OTHER, "shop"), (OTHER, "club"), (OTHER, "unknown")):
        tried.clear()
        opens(ring, sealed(b"{}", key=key, header=header(client)))
        assert len(tried) == MOST_SECRETS


def test_a_key_never_shows_itself() -> None:
    ring = keys(shop=KEYS["shop"])
    opened = ring.open(Envelope.read(sealed(b"canary", key=KEYS["shop"], header=header()).encode()))
    shown = repr(opened) + repr(ring) + repr(vars(ring))
    assert KEYS["shop"] not in shown
    assert "canary" not in shown


def test_a_fresh_key_is_what_the_configuration_takes() -> None:
    made = {fresh_sealing_key() for _ in range(50)}
    assert len(made) == 50
    assert all("shop" in keys(shop=key) for key in made)
