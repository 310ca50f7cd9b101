"""The name and picture that WeChat shows of a person (contract.md 8.5)."""

import hashlib
from dataclasses import dataclass
from typing import Final

from models import base64url

_DIGEST: Final = 16  # bytes


@dataclass(frozen=True, slots=True)
class Profile:
    """What a site may show of a person."""

    nickname: str
    """Cleaned; '' if nothing readable is left of it, or WeChat told none."""
    picture: str | None
    """The name of the picture in its address: another one for each picture. None if there is none."""


def source_of(address: str) -> str:
    """Return what is kept of WeChat's address of a picture: enough to tell whether it is still the same."""
    return base64url.encode(hashlib.blake2b(address.encode(), digest_size=_DIGEST).digest())
