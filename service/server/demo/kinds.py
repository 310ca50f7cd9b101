"""The shop's client for each kind of account, with the methods of such an account. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.kinds import Kind


@dataclass(frozen=True, slots=True)
class DemoKind:
    """One kind of account as the demo shows it (docs/methods.md)."""

    client: str
    """The name of the shop's client that has it."""
    methods: tuple[str, ...]
    what: str
    """The kind in words, and what to do."""
    accounts: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()


_OF_AN_ACCOUNT: Final = ("scan", "link", "passcode", "h5")

KINDS: Final[Mapping[Kind, DemoKind]] = {
    "all": DemoKind(
        "shop",
        ("scan", "link", "miniprogram", "passcode", "website", "wecom", "h5"),
        "all kinds of accounts: choose one on that page",
        accounts=("main",),
        apps=("site", "mini", "corp"),
    ),
    "test": DemoKind(
        "shop_test",
        _OF_AN_ACCOUNT,
        "a test account (测试号): scan the QR code, follow the account and answer in its chat",
        accounts=("test",),
    ),
    "service": DemoKind(
        "shop_service",
        _OF_AN_ACCOUNT,
        "a service account (服务号): scan the QR code, follow the account and answer in its chat",
        accounts=("main",),
    ),
    "personal": DemoKind(
        "shop_personal",
        ("passcode",),
        "a personal account (个人公众号): follow it on the phone, and send the code on the page to its chat",
        accounts=("personal",),
    ),
    "website": DemoKind(
        "shop_website",
        ("website",),
        "a website application (网站应用): scan the QR code on WeChat's page, and allow the login",
        apps=("site",),
    ),
    "miniprogram": DemoKind(
        "shop_miniprogram",
        ("miniprogram",),
        "a mini program (小程序): scan its code, and answer on its page",
        apps=("mini",),
    ),
    "company": DemoKind(
        "shop_company",
        ("wecom",),
        "WeCom (企业微信): go to WeCom's page, and log in there",
        apps=("corp",),
    ),
}
