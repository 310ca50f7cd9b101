"""What the standalone sandbox prints is a configuration of the service.

Red when a setting of a kind of account is missing, misspelt or not that of such an account.
"""

from dataclasses import replace
from typing import Any, Final, get_args

import pytest
import yaml

from sandbox.account import OfficialAccount
from sandbox.announcement import announcement
from sandbox.kinds import Emulated, Kind, default_emulated
from service.config.settings import Settings, validate

ADDRESS: Final = "http://127.0.0.1:9"
CALLBACK: Final = "http://127.0.0.1:8080/wechat/main"
CLIENT: Final = {"name": "shop", "secret": "p" * 32, "origins": ["http://127.0.0.1:8000"]}
BACK: Final = {"return_urls": ["http://127.0.0.1:8000/done"]}
METHODS: Final[dict[Kind, tuple[dict[str, Any], list[str]]]] = {
    "test": ({"accounts": ["test"]}, ["scan", "link", "passcode", "h5"]),
    "service": ({"accounts": ["main"]}, ["scan", "link", "passcode", "h5"]),
    "personal": ({"accounts": ["personal"]}, ["passcode"]),
    "website": ({"apps": ["site"]}, ["website"]),
    "miniprogram": ({"apps": ["mini"]}, ["miniprogram"]),
    "company": ({"apps": ["corp"]}, ["wecom"]),
}


def printed(kind: Kind) -> Any:
    text = announcement(default_emulated(CALLBACK).of(kind), address=ADDRESS)
    return yaml.safe_load(text[text.index("\n\n", text.index("config.yaml")) :])


@pytest.mark.parametrize("kind", METHODS)
def test_what_is_printed_of_a_kind_allows_its_methods(kind: Kind) -> None:
    uses, methods = METHODS[kind]
    client = {**CLIENT, "accounts": [], **uses, "methods": methods, **BACK}
    settings: Settings = validate({**printed(kind), "clients": {"shop": client}}, {})
    assert {*settings.accounts, *settings.apps} == {name for names in uses.values() for name in names}


def test_all_kinds_are_printed_by_default() -> None:
    known = printed("all")
    assert (list(known["accounts"]), list(known["apps"])) == (
        ["main", "test", "personal"],
        ["site", "mini", "corp"],
    )
    assert set(METHODS) | {"all"} == set(get_args(Kind))


def test_a_test_account_has_neither_a_mode_nor_a_key() -> None:
    assert printed("test")["accounts"]["test"].keys().isdisjoint({"mode", "aes_key", "allow_unsigned_body"})


def test_a_personal_account_has_no_secret_and_is_never_called() -> None:
    account = printed("personal")["accounts"]["personal"]
    assert account["api"] is False
    assert account.keys().isdisjoint({"secret", "oauth", "open_platform", "api_base"})


def test_an_account_is_named_as_its_callback_address_says(account: OfficialAccount) -> None:
    plain = replace(account, mode="plain", callback_url="http://127.0.0.1:8080/wechat/second")
    text = announcement(Emulated((account, plain)), address=ADDRESS)
    assert text.startswith(f"WeChat sandbox is ready: {ADDRESS}/\n")
    assert f"  main:  # pushes go to {account.callback_url}\n    appid: {account.appid}\n" in text
    assert "  second:" in text
    assert text.count("allow_unsigned_body: true") == 1
    assert text.endswith(f"    open_base: {ADDRESS}\n    api_base: {ADDRESS}\n")
