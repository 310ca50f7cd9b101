"""The envelopes and contents of sealed calls: `python -m fuzz.sealed_calls`.

Mutates compact JWEs, headers and contents that are sealed with the right key. Nothing but what was sealed may be
opened, and every refusal is one of those that are answered.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fuzz.pictures import mutated
from handlers.http import request_body
from handlers.http.operation import adapter
from handlers.sealed_calls.schemas import SealedCall
from models import base64url
from models.errors import InvalidRequest
from service.config.settings import validate
from service.crypto.sealing import KEY_BYTES, Envelope, SealingKeys

_KEY: Final = b"k" * KEY_BYTES
_HEADER: Final = {"alg": "dir", "enc": "A256GCM", "kid": "shop"}
_CALL: Final = {
    "iat": 1767225600,
    "jti": "a" * 22,
    "method": "GET",
    "path": "/v1/bindings/%41",
    "query": {"a": "b"},
}
_MEMBERS: Final = (
    ("alg", "none"), ("enc", "A128GCM"), ("kid", ["shop"]), ("zip", "DEF"), ("crit", ["b64"]), ("typ", "JWT"),
)  # fmt: skip


def sealed(header: bytes, content: bytes) -> bytes:
    """Return *content* as a compact JWE with this header, by the right key."""
    first, nonce = base64url.encode(header), b"n" * 12
    both = AESGCM(_KEY).encrypt(nonce, content, first.encode())
    parts = (first, "", *map(base64url.encode, (nonce, both[:-16], both[-16:])))
    return ".".join(parts).encode()


def _bent(content: bytes, chance: random.Random) -> bytes:
    """Return *content* with one byte replaced by a printable one."""
    at = chance.randrange(len(content))
    return content[:at] + bytes([chance.randrange(0x20, 0x7F)]) + content[at + 1 :]


def keys() -> SealingKeys:
    """Return the keys of one client."""
    account = {"appid": "wx0123456789abcdef", "secret": "5" * 32, "token": "token", "aes_key": "a" * 43}
    shop = {"name": "Shop", "accounts": ["main"], "require_sealed": True, "sealing_key": base64url.encode(_KEY)}
    return SealingKeys(validate({"accounts": {"main": account}, "clients": {"shop": shop}}).clients)


def opened(ring: SealingKeys, compact: bytes) -> bytes | None:
    """Return the content of *compact* as the service reads it; None if it is refused."""
    try:
        found = ring.open(Envelope.read(compact))
    except ValueError:
        return None
    return found.plaintext if found else None


def is_call(content: bytes) -> bool:
    """Tell whether *content* is a well-formed call."""
    try:
        request_body.parse(content, adapter(SealedCall))
    except InvalidRequest:
        return False
    return True


def run(runs: int, *, seed: int) -> tuple[int, str | None]:
    """Open and read this many mutations; return how many contents were calls, and the first fault."""
    chance, ring, calls = random.Random(seed), keys(), 0
    header, content = json.dumps(_HEADER).encode(), json.dumps(_CALL).encode()
    good = sealed(header, content)
    for _ in range(runs):
        changed = mutated(good, chance)
        if changed != good and opened(ring, changed) is not None:
            return calls, f"opened {changed!r}"
        other = mutated(json.dumps(_HEADER | dict([chance.choice(_MEMBERS)])).encode(), chance)
        if opened(ring, sealed(other, content)) is not None and json.loads(other) != _HEADER:
            return calls, f"opened with the header {other!r}"
        text = chance.choice((mutated, _bent))(content, chance)
        if opened(ring, sealed(header, text)) != text:
            return calls, f"lost {text!r}"
        calls += is_call(text)
    return calls, None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.sealed_calls")
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    calls, wrong = run(given.runs, seed=given.seed)
    if wrong:
        print(f"FAULT: {wrong}\n\nagain: python -m fuzz.sealed_calls --seed {given.seed}")
        return 1
    print(f"sealed calls: {given.runs} runs, no fault; {calls} contents were calls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
