"""The Official Accounts the emulator speaks for. Values only."""

import base64
import hashlib
import platform
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["plain", "compatible", "safe"]
"""How pushes travel (wechat-protocol.md 3.3)."""

Format = Literal["xml", "json"]
"""What pushes are written in; replies must be written in the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialAccount:
    """One Official Account with its console settings, as its owner would have typed them."""

    appid: str
    secret: str = field(repr=False)
    """32 hex digits, as WeChat's own are."""
    token: str = field(repr=False)
    """3-32 letters and digits; signs pushes."""
    aes_key: str = field(repr=False)
    """43 characters of A-Z a-z 0-9; encrypts pushes."""
    gh_id: str
    """The account's own id, `gh_...`: sender of its replies."""
    callback_url: str
    """Where pushes go."""
    mode: Mode = "safe"
    format: Format = "xml"
    name: str = "Official Account"
    allowed_qr: bool = True
    """False: qrcode/create answers 48001, as for an account that is not verified (wechat-protocol.md 8)."""
    strict_scene: bool = True
    """False: temporary codes take scenes out of range, as was observed (wechat-protocol.md 2)."""
    daily_codes: int = 100_000


def default_account(callback_url: str) -> OfficialAccount:
    """Return the account a lone sandbox speaks for.

    Its credentials are the same at each start on this machine, so that a configuration file written once keeps
    working, and differ between machines, so that none of them is published with the source.
    """

    def derived(what: str) -> bytes:
        return hashlib.sha256(f"{what} {platform.node()} {callback_url}".encode()).digest()

    def letters(what: str) -> str:
        return base64.b64encode(derived(what), altchars=b"xz").decode().rstrip("=")

    return OfficialAccount(
        appid=f"wx{derived('appid').hex()[:16]}",
        secret=derived("secret").hex()[:32],
        token=letters("token")[:24],
        aes_key=letters("aes_key"),
        gh_id=f"gh_{derived('gh_id').hex()[:12]}",
        callback_url=callback_url,
        name="Sandbox 公众号",
    )
