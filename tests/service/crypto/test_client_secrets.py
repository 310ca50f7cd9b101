"""Secrets of back ends: only hashes are kept, and any of a client's secrets is accepted."""

import pytest

from models import base64url
from service.config.settings import validate
from service.config.types import MOST_SECRETS
from service.crypto import client_secrets
from service.crypto.client_secrets import ClientSecrets, fresh_secret, hash_of

ACCOUNT = {"appid": "wx2c2769f8efd9abc2", "secret": "app-secret", "token": "spamtest", "aes_key": "a" * 43}
OLD, NEW, OTHER = (f"the {name} secret of a client" for name in ("old", "new", "other"))


def proved(**fields: object) -> ClientSecrets:
    clients = {
        "shop": {"name": "Shop", "accounts": ["main"], **fields},
        "club": {"name": "Club", "accounts": ["main"], "secret": OTHER},
    }
    return ClientSecrets(validate({"accounts": {"main": ACCOUNT}, "clients": clients}).clients)


def test_a_fresh_secret_has_256_random_bits() -> None:
    made = {fresh_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(base64url.decode(one)) for one in made} == {32}


def test_a_hash_is_written_as_the_configuration_takes_it() -> None:
    assert hash_of(b"") == "sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.mark.parametrize(
    "fields",
    [
        {"secret": [OLD, NEW]},
        {"secret_hash": [hash_of(OLD.encode()), hash_of(NEW.encode())]},
        {"secret": OLD, "secret_hash": hash_of(NEW.encode())},
    ],
    ids=["secrets", "hashes", "one of each"],
)
def test_each_of_a_clients_secrets_is_accepted_and_no_other(fields: dict[str, object]) -> None:
    secrets = proved(**fields)
    assert secrets.prove("shop", OLD.encode())
    assert secrets.prove("shop", NEW.encode())
    assert not secrets.prove("shop", OTHER.encode())
    assert not secrets.prove("club", NEW.encode())


def test_an_unknown_client_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `prove` does not ask whether the client is configured; here the dummy is the hash of a secret."""
    secrets = proved(secret=OLD)
    monkeypatch.setattr(client_secrets, "_DUMMY", hash_of(OLD.encode()))
    assert "shop" in secrets
    assert "nobody" not in secrets
    for given in (OLD, ""):
        assert not secrets.prove("nobody", given.encode())


def test_as_many_hashes_are_compared_for_every_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `_hashes` is not padded, or `any` stops at the right one: the time would tell who is known."""
    secrets, compared = proved(secret=[OLD, NEW]), []
    monkeypatch.setattr(client_secrets.hmac, "compare_digest", lambda a, b: compared.append(b) or a == b)
    counts = set()
    for client, given in (("shop", OLD), ("shop", NEW), ("shop", OTHER), ("club", OTHER), ("nobody", OLD)):
        compared.clear()
        secrets.prove(client, given.encode())
        counts.add(len(compared))
    assert counts == {2 * MOST_SECRETS}
