"""The vectors of wechat-protocol.md 3.5, wechatpy as the other side, and malformed envelopes."""

import base64
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import PrpCrypto, WeChatCrypto

from models.errors import Malformed
from service.wechat.envelope import Envelope
from service.wechat.signature import sign

Sample = Callable[[str], dict[str, Any]]

APPID = "wx0123456789abcdef"
ENVELOPE = Envelope.of("k" * 43, appid=APPID)
MESSAGES = st.text(alphabet=st.characters(codec="utf-8"), max_size=300)
KEYS = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=43, max_size=43)


def encrypted(plain: bytes) -> str:
    """Encrypt *plain* as it is, padding and all."""
    encryptor = ENVELOPE.cipher.encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def padded(plain: bytes) -> bytes:
    pad = 32 - len(plain) % 32
    return plain + bytes([pad]) * pad


def content(message: bytes, *, length: int | None = None, appid: bytes = APPID.encode()) -> bytes:
    return bytes(16) + struct.pack(">I", len(message) if length is None else length) + message + appid


@pytest.mark.parametrize("name", ["official_safe_json", "tencent_safe_xml"])
def test_real_envelopes_open_and_seal(sample: Sample, name: str) -> None:
    push = sample(name)
    envelope = Envelope.of(push["account"]["aes_key"], appid=push["account"]["appid"])
    message = push["message"].encode()
    assert envelope.open(push["encrypt"]) == message
    assert envelope.seal(message, random=push["random"].encode()) == push["encrypt"]


def test_real_reply_opens_and_seals(sample: Sample) -> None:
    push = sample("official_safe_json")
    envelope = Envelope.of(push["account"]["aes_key"], appid=push["account"]["appid"])
    reply = push["reply"]
    message = reply["message"].encode()
    assert envelope.seal(message, random=reply["random"].encode()) == reply["encrypt"]
    assert envelope.open(reply["encrypt"]) == message


@given(message=MESSAGES, key=KEYS)
def test_wechatpy_opens_what_we_seal(message: str, key: str) -> None:
    encrypt = Envelope.of(key, appid=APPID).seal(message.encode())
    crypto = WeChatCrypto("token", key, APPID)
    signature = sign("token", "1700000000", "nonce", encrypt)
    assert crypto.decrypt_message({"Encrypt": encrypt}, signature, "1700000000", "nonce") == message


@given(message=MESSAGES, key=KEYS)
def test_we_open_what_wechatpy_seals(message: str, key: str) -> None:
    encrypt = PrpCrypto(WeChatCrypto("token", key, APPID).key).encrypt(message, APPID).decode()
    assert Envelope.of(key, appid=APPID).open(encrypt) == message.encode()


@given(message=st.binary(max_size=100).map(lambda raw: raw.hex().encode()))
def test_each_sealing_is_fresh(message: bytes) -> None:
    first, second = ENVELOPE.seal(message), ENVELOPE.seal(message)
    assert first != second
    assert ENVELOPE.open(first) == ENVELOPE.open(second) == message


@pytest.mark.parametrize("size", [0, 11, 12, 13, 27, 28, 29])
def test_every_padding_length_works(size: int) -> None:
    # 16 + 4 + 18 of appid: sizes around a whole block, where a whole block of padding is due
    assert ENVELOPE.open(ENVELOPE.seal(b"x" * size)) == b"x" * size


def test_whitespace_around_is_stripped() -> None:
    assert ENVELOPE.open(f"\n  {ENVELOPE.seal(b'hello')} \r\n") == b"hello"


GOOD = encrypted(padded(content(b"hello")))

MALFORMED = {
    "empty": "",
    "not base64": "!!!!",
    "base64 with noise inside": GOOD[:8] + "\n" + GOOD[8:],
    "not ascii": "é" * 44,
    "half a surrogate pair": "\ud800" * 44,
    "base64 padding missing": GOOD.rstrip("=") if GOOD.endswith("=") else GOOD[:-1],
    "half a cipher block": base64.b64encode(bytes(8)).decode(),
    "a cipher block, but half of ours": base64.b64encode(bytes(16)).decode(),
    "padded to blocks of 16": encrypted(content(b"") + b"\x0a" * 10),
    "garbage": base64.b64encode(bytes(64)).decode(),
    "padding 0": encrypted(content(b"x" * 26) + bytes(32)),
    "padding 33": encrypted(content(b"x" * 25) + b"\x21" * 33),
    "padding of unlike bytes": encrypted(padded(content(b"hello"))[:-2] + b"\x01\x15"),
    "nothing but padding": encrypted(b"\x20" * 32),
    "no room for the length": encrypted(padded(bytes(18))),
    "length beyond the end": encrypted(padded(content(b"hello", length=500))),
    "length of four gigabytes": encrypted(padded(content(b"hello", length=2**32 - 1))),
    "length too short": encrypted(padded(content(b"hello", length=4))),
    "another account": encrypted(padded(content(b"hello", appid=b"wxfedcba9876543210"))),
    "no account": encrypted(padded(content(b"hello", appid=b""))),
    "account not utf-8": encrypted(padded(content(b"hello", appid=b"\xff"))),
    "another key": Envelope.of("A" * 43, appid=APPID).seal(b"hello"),
}


def test_a_message_that_is_no_utf_8_is_opened_as_well() -> None:
    """Red when `open` decodes the message: what a person pasted would be refused."""
    assert ENVELOPE.open(encrypted(padded(content(b"\xff\xfe")))) == b"\xff\xfe"


@pytest.mark.parametrize("encrypt", MALFORMED.values(), ids=MALFORMED.keys())
def test_every_fault_reads_the_same_outside(encrypt: str) -> None:
    with pytest.raises(Malformed) as caught:
        ENVELOPE.open(encrypt)
    assert caught.value.detail == "the push cannot be read"
    assert caught.value.fault in ("envelope", "appid")


@given(junk=st.binary(max_size=200))
def test_no_junk_escapes_as_another_error(junk: bytes) -> None:
    with pytest.raises(Malformed):
        ENVELOPE.open(base64.b64encode(junk).decode())


def test_a_key_may_be_no_canonical_base64(sample: Sample) -> None:
    key = sample("tencent_safe_xml")["account"]["aes_key"]
    assert base64.b64encode(base64.b64decode(key + "=")).decode().rstrip("=") != key
    assert Envelope.of(key, appid=APPID).open(Envelope.of(key, appid=APPID).seal(b"hello")) == b"hello"


@pytest.mark.parametrize("key", ["", "A" * 42, "A" * 44, "A" * 42 + "+", "A" * 42 + "=", "A" * 43 + "\n"])
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="43 characters"):
        Envelope.of(key, appid=APPID)


def test_random_is_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        ENVELOPE.seal(b"hello", random=b"short")


def test_the_key_is_not_shown() -> None:
    assert repr(ENVELOPE) == f"Envelope(appid='{APPID}')"
