"""The Official Accounts that the sandbox emulates. Values only."""

import base64
import hashlib
import platform
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["plain", "compatible", "safe"]
"""How pushes are encrypted (wechat-protocol.md 3.3)."""

Format = Literal["xml", "json"]
"""The format of pushes; replies must use the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialAccount:
    """One Official Account with the settings of its console."""

    appid: str
    secret: str = field(repr=False)
    """32 hex digits, as in WeChat."""
    token: str = field(repr=False)
    """3-32 letters and digits; signs pushes."""
    aes_key: str = field(repr=False)
    """43 characters of A-Z a-z 0-9; encrypts pushes."""
    gh_id: str
    """The account's original id, `gh_...`: the sender of its replies."""
    callback_url: str
    """The address that pushes are sent to."""
    mode: Mode = "safe"
    format: Format = "xml"
    name: str = "Official Account"
    allowed_qr: bool = True
    """False: qrcode/create answers 48001, as for an account that is not verified (wechat-protocol.md 8)."""
    strict_scene: bool = True
    """False: temporary QR codes accept scenes out of range, as was observed (wechat-protocol.md 2)."""
    daily_codes: int = 100_000
    open_platform: str | None = None
    """The Open Platform account that it is bound to, as a word; those with the same word share unionids."""


def default_account(callback_url: str) -> OfficialAccount:
    """Return the account of a sandbox that is started without a configuration.

    Its credentials are the same at each start on one machine, so that a configuration file keeps working. They
    differ between machines, so that the source contains none of them.
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
        open_platform="sandbox",
    )
