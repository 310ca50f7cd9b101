"""The settings of an Official Account."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from service.config.fault import Fault
from service.config.forwarding import Targets
from service.config.pictures import Picture
from service.config.proxies import ProxyUrl, proxy_of_environment
from service.config.section import Section
from service.config.types import (
    WECHAT_API,
    WECHAT_PAGES,
    AesKeys,
    Allowance,
    AppId,
    GhId,
    Limit,
    OpenPlatform,
    OptionalNames,
    OptionalParagraphs,
    SafeWebAddress,
    Secret,
    Skew,
    Tokens,
    WebAddress,
)


def _is_test(account: Mapping[str, Any]) -> bool:
    return account.get("kind") == "test"


class Account(Section):
    """An Official Account. `token` and `aes_key` are listed newest first, several while rotating."""

    kind: Literal["official", "test"] = "official"
    """A test account (测试号) has only plain mode, no AES key and fewer QR codes (wechat-protocol.md 2, 8)."""
    appid: AppId
    api: bool = True
    """False: an account without API permissions, as a person's 公众号 is. It is never called."""
    secret: Secret | None = None
    """None only if `api` is false."""
    token: Tokens
    mode: Literal["safe", "compatible", "plain"] = Field(
        default_factory=lambda known: "plain" if _is_test(known) else "safe"
    )
    aes_key: AesKeys = ()
    allow_unsigned_body: bool = Field(default_factory=_is_test)
    max_skew: Skew = 300
    """Seconds; 0 accepts any timestamp."""
    gh_id: GhId = ""
    """The original id that pushes must be addressed to; empty: not checked."""
    open_platform: OpenPlatform = ""
    """Accounts and apps of the same Open Platform account (开放平台账号) share unionids; empty: not named."""
    oauth: Literal["none", "base", "userinfo"] = "none"
    """What the account's web authorization may ask for."""
    name: OptionalNames = Field(default_factory=dict)
    """How people find the account, to send it passcodes; empty: by its name here."""
    picture: Picture = Field(default=None, repr=False)
    """The account's own QR code, shown with passcodes."""
    api_base: WebAddress = WECHAT_API
    open_base: SafeWebAddress = WECHAT_PAGES
    proxy: ProxyUrl = Field(default="", repr=False)
    """For calls to `api_base` alone; if empty, that of HTTPS_PROXY. May contain a password."""
    forward: Targets = ()
    """Other systems that get the pushes which are not the service's own."""
    welcome: OptionalParagraphs = Field(default_factory=dict)
    """What a person is told who follows without a scene of the service; empty: nothing."""
    otherwise: Literal["silence", "transfer_customer_service"] = "silence"
    """The reply to messages that are answered neither by the service nor by a target."""
    unfollow: Literal["erase", "keep"] = "erase"
    codes_per_day: Allowance = Field(default_factory=lambda known: 10_000 if _is_test(known) else 100_000)
    """WeChat's daily quota of QR codes for the account (wechat-protocol.md 2)."""
    codes_for_binds: Limit = 5000
    """The part of the quota that is reserved for binds."""

    @field_validator("name", "welcome", mode="before")
    @classmethod
    def _accept_empty(cls, value: object) -> object:
        return {} if value == "" else value

    @field_validator("secret", mode="before")
    @classmethod
    def _require_secret(cls, value: object, info: ValidationInfo) -> object:
        if not info.data.get("api", True):
            return None if value == "" else value
        if value is None:
            raise Fault("is missing")
        return value

    @field_validator("oauth")
    @classmethod
    def _check_permission(cls, value: str, info: ValidationInfo) -> str:
        if value != "none" and not info.data.get("api", True):
            raise Fault("must be none or left out with api false, which stands for no web authorization")
        return value

    @field_validator("proxy")
    @classmethod
    def _use_environment(cls, value: str, info: ValidationInfo) -> str:
        return value or proxy_of_environment(info, info.data.get("api_base", ""))

    @field_validator("codes_for_binds")
    @classmethod
    def _check_share(cls, value: int, info: ValidationInfo) -> int:
        if value >= info.data.get("codes_per_day", value + 1):
            raise Fault("must be less than codes_per_day, to leave QR codes for logins")
        return value

    @field_validator("token")
    @classmethod
    def _require_token(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not value:
            raise Fault("is missing")
        return value

    @field_validator("mode")
    @classmethod
    def _check_mode_of_test_account(cls, value: str, info: ValidationInfo) -> str:
        if _is_test(info.data) and value != "plain":
            raise Fault("must be plain or left out with kind test: a test account has no other mode")
        return value

    @field_validator("aes_key")
    @classmethod
    def _require_key(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if value and _is_test(info.data):
            raise Fault("must be left out with kind test: a test account has none")
        if not value and info.data.get("mode", "plain") != "plain":
            raise Fault("is missing: modes safe and compatible need it")
        return value

    @field_validator("allow_unsigned_body")
    @classmethod
    def _check_plain_mode(cls, value: bool, info: ValidationInfo) -> bool:
        if _is_test(info.data) and not value:
            raise Fault("must be true or left out with kind test: nothing signs the bodies of its pushes")
        if info.data.get("mode") == "plain" and not value:
            raise Fault(
                "must be true with mode plain, whose bodies are not signed, so scans can be forged; prefer safe"
            )
        return value
