"""Sealed calls as a back end makes them, written over AES-GCM alone: the service uses another library."""

import base64
import json
import os
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from harness import World

KEYS = {
    "shop": "c2hvcC1rZXktb2YtMzItYnl0ZXMtZm9yLXRlc3RzLi4",
    "club": "Y2x1Yi1rZXktb2YtMzItYnl0ZXMtZm9yLXRlc3RzLi4",
}
JOSE = {"Content-Type": "application/jose"}


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sealed(plaintext: bytes, *, key: str, header: Any, nonce: bytes | None = None) -> str:
    """Return a compact JWE; *header* is JSON, or the bytes to use instead."""
    nonce = nonce or os.urandom(12)
    first = encoded(header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode())
    both = AESGCM(decoded(key)).encrypt(nonce, plaintext, first.encode())
    return f"{first}..{encoded(nonce)}.{encoded(both[:-16])}.{encoded(both[-16:])}"


def unsealed(compact: str, *, key: str) -> tuple[dict[str, Any], bytes]:
    """Return the header and the plaintext. Raises InvalidTag."""
    first, empty, nonce, ciphertext, tag = compact.split(".")
    assert empty == ""
    plaintext = AESGCM(decoded(key)).decrypt(decoded(nonce), decoded(ciphertext) + decoded(tag), first.encode())
    return json.loads(decoded(first)), plaintext


def header(client: str = "shop", **changes: Any) -> dict[str, Any]:
    return {"alg": "dir", "enc": "A256GCM", "kid": client, **changes}


@dataclass
class Back:
    """The back end of a client that seals its calls."""

    world: World
    client: str = "shop"
    keys: dict[str, str] = field(default_factory=lambda: KEYS)

    def wanted(self, method: str, path: str, body: Any = None, **changes: Any) -> dict[str, Any]:
        """Return a call before it is sealed; a change to None leaves the member out."""
        fields = {"iat": int(self.world.clock.seconds()), "jti": encoded(os.urandom(16)), "method": method}
        fields |= {"path": path, "query": {}, "body": {} if body is None else body, **changes}
        return {name: value for name, value in fields.items() if value is not None}

    def seal(self, fields: Any) -> str:
        plaintext = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        return sealed(plaintext, key=self.keys[self.client], header=header(self.client))

    async def send(self, compact: str | bytes, **headers: str) -> ClientResponse:
        return await self.world.call("POST", "/v1/sealed", data=compact, headers={**JOSE, **headers})

    async def call(self, method: str, path: str, body: Any = None, **changes: Any) -> ClientResponse:
        return await self.send(self.seal(self.wanted(method, path, body, **changes)))

    async def told(self, response: ClientResponse, jti: str) -> Any:
        """Return the body of an answer, which must be sealed for this client and this call."""
        text = await response.text()
        assert response.content_type == "application/jose", text
        known, plaintext = unsealed(text, key=self.keys[self.client])
        assert known == header(self.client)
        answer = json.loads(plaintext)
        assert answer.keys() == {"jti", "body"}
        assert answer["jti"] == jti
        return answer["body"]

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, **changes: Any) -> Any:
        """Make a call and return the body of its answer."""
        fields = self.wanted(method, path, body, **changes)
        response = await self.send(self.seal(fields))
        assert response.status == status, await response.text()
        return await self.told(response, fields["jti"])
