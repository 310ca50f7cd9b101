"""The kinds of accounts and applications that `scanbind init` configures. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from models.language import Lang
from models.method import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupKind:
    """What is asked for, generated and written for one kind (docs/start)."""

    title: Mapping[Lang, str]
    part: Literal["accounts", "apps"] = "accounts"
    name: str
    """In the configuration."""
    asked: tuple[str, ...]
    """The questions about the account, by name."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those that every account of the kind has."""
    generated: tuple[str, ...] = ()
    """Secrets that the operator chooses and enters in WeChat's console."""
    method: Method = Method.SCAN


KINDS: Final[Mapping[str, SetupKind]] = {
    "test": SetupKind(
        title={Lang.EN: "test account (测试号)", Lang.ZH: "测试号"},
        name="test",
        asked=("appid", "secret"),
        settings={"kind": "test"},
        generated=("token",),
    ),
    "service": SetupKind(
        title={Lang.EN: "verified service account (已认证的服务号)", Lang.ZH: "已认证的服务号"},
        name="main",
        asked=("appid", "secret"),
        generated=("token", "aes_key"),
    ),
    "personal": SetupKind(
        title={
            Lang.EN: "personal, subscription or unverified account (个人公众号、订阅号)",
            Lang.ZH: "个人公众号、订阅号或未认证的公众号",
        },
        name="personal",
        asked=("appid", "account_name"),
        settings={"api": False},
        generated=("token", "aes_key"),
        method=Method.PASSCODE,
    ),
    "website": SetupKind(
        title={Lang.EN: "website application (网站应用)", Lang.ZH: "网站应用"},
        part="apps",
        name="site",
        asked=("appid", "secret"),
        settings={"kind": "website"},
        method=Method.WEBSITE,
    ),
    "wecom": SetupKind(
        title={Lang.EN: "application in WeCom (企业微信)", Lang.ZH: "企业微信的自建应用"},
        part="apps",
        name="corp",
        asked=("corpid", "agentid", "secret"),
        settings={"kind": "wecom"},
        method=Method.WECOM,
    ),
    "miniprogram": SetupKind(
        title={Lang.EN: "mini program (小程序)", Lang.ZH: "小程序"},
        part="apps",
        name="mini",
        asked=("appid", "secret", "page"),
        settings={"kind": "miniprogram"},
        method=Method.MINIPROGRAM,
    ),
}
