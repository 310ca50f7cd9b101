"""Signatures of webhooks: the library of Standard Webhooks accepts them, and no changed message."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bad_webhooks import KEY, SECRET
from webhook_receiver import Received, verified

from service.webhooks.signatures import (
    Ed25519Signer,
    HmacSigner,
    fresh_key,
    fresh_secret,
    seconds,
    signature_header,
)

BODY = '{"type":"login.completed","data":{"user_id":"用户"}}'.encode()


def signed(*signers: HmacSigner | Ed25519Signer, at: datetime | None = None) -> Received:
    at = at or datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": seconds(at),
        "webhook-signature": signature_header(signers, "msg_1", at, BODY),
    }
    return Received("/", headers, BODY)


@pytest.mark.parametrize(
    ("signer", "key"),
    [(HmacSigner(SECRET), SECRET), (Ed25519Signer(KEY), Ed25519Signer(KEY).public_key)],
    ids=["HMAC", "ed25519"],
)
def test_a_receiver_verifies_what_was_signed_and_nothing_else(
    signer: HmacSigner | Ed25519Signer, key: str
) -> None:
    """Red when the id, the timestamp or the body is not signed."""
    one = signed(signer)
    assert verified(key, one, any_time=False)
    later = str(int(one.headers["webhook-timestamp"]) + 1)
    for other in (
        replace(one, body=BODY.replace(b"login", b"logon")),
        replace(one, headers={**one.headers, "webhook-id": "msg_2"}),
        replace(one, headers={**one.headers, "webhook-timestamp": later}),
    ):
        assert not verified(key, other, any_time=False)


def test_the_example_of_the_specification_has_its_signature() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    signer = HmacSigner("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    header = signature_header([signer], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_first_key_of_rfc_8032_has_its_public_key() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signer = Ed25519Signer("whsk_" + base64.b64encode(seed).decode())
    assert signer.public_key == "whpk_" + base64.b64encode(public).decode()
    assert HmacSigner(SECRET).public_key is None


def test_while_rotating_both_keys_sign_the_newest_first() -> None:
    new, old = fresh_secret(), fresh_secret()
    one = signed(HmacSigner(new), HmacSigner(old))
    assert verified(new, one, any_time=False)
    assert verified(old, one, any_time=False)
    assert one.headers["webhook-signature"].split(" ")[0] == signed(HmacSigner(new)).headers["webhook-signature"]
    keys = [Ed25519Signer(fresh_key()) for _ in range(2)]
    both = signed(*keys)
    assert all(verified(key.public_key, both, any_time=False) for key in keys)


def test_the_timestamp_is_cut_to_the_second_in_header_and_signature() -> None:
    at = datetime.now(UTC).replace(microsecond=999_999)
    whole = at.replace(microsecond=0)
    for signer in (HmacSigner(SECRET), Ed25519Signer(KEY)):
        assert signed(signer, at=at) == signed(signer, at=whole)
    assert datetime.fromtimestamp(int(seconds(at)), UTC) == whole
    assert at - whole < timedelta(seconds=1)


def test_fresh_keys_differ_and_have_256_bits() -> None:
    assert len({fresh_secret() for _ in range(5)} | {fresh_key() for _ in range(5)}) == 10
    assert len(base64.b64decode(fresh_secret().removeprefix("whsec_"), validate=True)) == 32
    assert len(base64.b64decode(fresh_key().removeprefix("whsk_"), validate=True)) == 32
