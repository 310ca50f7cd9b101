"""The Official Accounts and the applications that the sandbox emulates. Values only."""

import base64
import hashlib
import platform
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

Mode = Literal["plain", "compatible", "safe"]
"""How pushes are encrypted (wechat-protocol.md 3.3)."""

Format = Literal["xml", "json"]
"""The format of pushes; replies must use the same."""

AccountKind = Literal["service", "test", "personal"]
"""A verified service account (服务号), a test account (测试号) or a person's 公众号."""

WebAuthorizationScope = Literal["none", "base", "userinfo"]
"""What the web authorization (H5) of an account may ask for; `userinfo` includes `base`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialAccount:
    """One Official Account with the settings of its console."""

    appid: str
    secret: str = field(repr=False)
    """32 hex digits, as in WeChat."""
    token: str = field(repr=False)
    """3-32 letters and digits; signs pushes."""
    aes_key: str = field(repr=False)
    """43 characters of A-Z a-z 0-9; encrypts pushes. Empty in a test account, which has only plain mode."""
    gh_id: str
    """The account's original id, `gh_...`: the sender of its replies."""
    callback_url: str
    """The address that pushes are sent to."""
    kind: AccountKind = "service"
    """Only followers can use the web authorization of a `test` account (wechat-protocol.md 6). The fields below
    say what else it may do."""
    mode: Mode = "safe"
    format: Format = "xml"
    name: str = "Official Account"
    verified: bool = True
    """False: calls that need a permission answer 48001, as for the account of a person (wechat-protocol.md 8)."""
    allowed_qr: bool = True
    """False: qrcode/create answers 48001, as for a verified 公众号 that is no 服务号 (wechat-protocol.md 8)."""
    strict_scene: bool = True
    """False: temporary QR codes accept scenes out of range, as was observed (wechat-protocol.md 2)."""
    daily_codes: int = 100_000
    daily_openid_changes: int = 100_000
    """How many calls of changeopenid a day are answered."""
    former_named_by: Literal["gh_id", "appid"] = "gh_id"
    """What changeopenid takes for `from_appid`: sources disagree (wechat-protocol.md 8)."""
    open_platform: str | None = None
    """The Open Platform account that it is bound to, as a word; those with the same word share unionids."""
    oauth: WebAuthorizationScope = "none"
    oauth_domain: str = ""
    """The host that addresses of its web authorization must have; their port does not matter here."""

    @property
    def name_in_service(self) -> str:
        """The service's name of the account, with which its callback address ends; `main` if it has no path."""
        return urlsplit(self.callback_url).path.rpartition("/")[2] or "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Website:
    """A website application (网站应用) of an Open Platform account."""

    appid: str
    secret: str = field(repr=False)
    """32 hex digits, as in WeChat."""
    domain: str
    """The host that redirect_uri must have; its port does not matter here."""
    name: str = "Website"
    open_platform: str | None = None
    """As of Official Accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniProgram:
    """A mini program (小程序) with the settings of its console."""

    appid: str
    secret: str = field(repr=False)
    """32 hex digits, as in WeChat."""
    name: str = "Mini program"
    open_platform: str | None = None
    """As of Official Accounts."""
    pages: tuple[str, ...] = ("pages/scan/index",)
    """Those of its released version."""
    api: str = ""
    """The service's address in its config.js. Its pages may call this host alone (request 合法域名)."""


App = OfficialAccount | Website


@dataclass(frozen=True, slots=True, kw_only=True)
class WeComApp:
    """An application of an enterprise in WeCom (企业微信)."""

    corpid: str
    """The enterprise; its applications share its members and their openids."""
    agentid: int
    secret: str = field(repr=False)
    domain: str
    """The trusted domain: the host that redirect_uri must have; its port does not matter here."""
    name: str = "Enterprise"

    @property
    def appid(self) -> str:
        """What addresses of WeCom call appid: the CorpID."""
        return self.corpid


def default_account(callback_url: str) -> OfficialAccount:
    """Return the account of a sandbox that is started without a configuration.

    Its credentials are the same at each start on one machine, so that a configuration file keeps working. They
    differ between machines, so that the source contains none of them.
    """
    return OfficialAccount(
        **_basics(callback_url),
        aes_key=_Derived(callback_url).letters("aes_key"),
        name="服务号 Service account",
        open_platform="sandbox",
        oauth="userinfo",
        oauth_domain=urlsplit(callback_url).hostname or "",
    )


def default_test_account(callback_url: str) -> OfficialAccount:
    """Return a test account (测试号) whose pushes go to *callback_url*: only plain mode, 10,000 QR codes a day."""
    return OfficialAccount(
        **_basics(callback_url),
        kind="test",
        aes_key="",
        mode="plain",
        name="测试号 Test account",
        daily_codes=10_000,
        oauth="userinfo",
        oauth_domain=urlsplit(callback_url).hostname or "",
    )


def default_personal_account(callback_url: str) -> OfficialAccount:
    """Return a person's 公众号 whose pushes go to *callback_url*; its API answers 48001."""
    return OfficialAccount(
        **_basics(callback_url),
        kind="personal",
        aes_key=_Derived(callback_url).letters("aes_key"),
        name="个人公众号 Personal account",
        verified=False,
    )


def _basics(callback_url: str) -> dict[str, Any]:
    """Return what the console of every account shows."""
    derived = _Derived(callback_url)
    return {
        "appid": derived.appid("appid"),
        "secret": derived.secret("secret"),
        "token": derived.letters("token")[:24],
        "gh_id": f"gh_{derived('gh_id').hex()[:12]}",
        "callback_url": callback_url,
    }


def default_website(callback_url: str) -> Website:
    """Return the website application that belongs to `default_account`, with the same host and unionids."""
    derived = _Derived(callback_url)
    return Website(
        appid=derived.appid("website appid"),
        secret=derived.secret("website secret"),
        domain=urlsplit(callback_url).hostname or "",
        name="Sandbox 网站",
        open_platform="sandbox",
    )


def default_mini_program(callback_url: str) -> MiniProgram:
    """Return the mini program that belongs to `default_account`: it calls the same host, as the app `mini`."""
    derived = _Derived(callback_url)
    return MiniProgram(
        appid=derived.appid("mini program appid"),
        secret=derived.secret("mini program secret"),
        name="Sandbox 小程序",
        open_platform="sandbox",
        api=urljoin(callback_url, "/v1/miniprogram/mini"),
    )


def default_wecom_app(callback_url: str) -> WeComApp:
    """Return the application in WeCom that belongs to `default_account`, with the same host."""
    derived = _Derived(callback_url)
    return WeComApp(
        corpid=f"ww{derived('corpid').hex()[:16]}",
        agentid=1000002,
        secret=derived.letters("wecom secret"),
        domain=urlsplit(callback_url).hostname or "",
        name="Sandbox 企业",
    )


@dataclass(frozen=True, slots=True)
class _Derived:
    """Bytes that are the same at each start on one machine for one callback address."""

    callback_url: str

    def __call__(self, what: str) -> bytes:
        return hashlib.sha256(f"{what} {platform.node()} {self.callback_url}".encode()).digest()

    def appid(self, what: str) -> str:
        return f"wx{self(what).hex()[:16]}"

    def secret(self, what: str) -> str:
        return self(what).hex()[:32]

    def letters(self, what: str) -> str:
        return base64.b64encode(self(what), altchars=b"xz").decode().rstrip("=")
