"""Accounts: what a scan, a web authorization and a passcode need of one.

Red when an account without API permissions still needs its secret, when its secret or `api` is not read from
variables, and when the shape of a picture is not looked at.
"""

from pathlib import Path
from typing import Any

import pytest
from config_files import ACCOUNT, faults, tree
from pydantic import SecretStr

from service.config.accounts import Account
from service.config.settings import validate
from service.wechat.build import build_api_accounts

PERSONAL = {name: value for name, value in ACCOUNT.items() if name != "secret"} | {
    "appid": "wx00000000000000aa",
    "api": False,
}


def personal(environ: dict[str, str] | None = None, **beside: Any) -> Account:
    return validate(tree(accounts__own={**PERSONAL, **beside}), environ or {}).accounts["own"]


def test_what_is_not_set_is_as_before() -> None:
    account = validate(tree()).accounts["main"]
    assert (account.api, account.oauth, account.open_platform, account.picture) == (True, "none", "", None)
    assert account.open_base == "https://open.weixin.qq.com"


def test_an_account_without_permissions_needs_no_secret() -> None:
    assert personal().secret is personal(secret="").secret is None
    assert personal({"SCANBIND_ACCOUNTS__OWN__SECRET": ""}).secret is None


def test_it_may_have_one_and_is_not_called_all_the_same() -> None:
    settings = validate(tree(accounts__own={**PERSONAL, "secret": "s"}))
    assert settings.accounts["own"].secret == SecretStr("s")
    assert build_api_accounts(settings).keys() == {"main"}


def test_permissions_are_read_from_a_variable() -> None:
    settings = validate(tree(accounts__own=PERSONAL), {"SCANBIND_ACCOUNTS__OWN__API": "false"})
    assert not settings.accounts["own"].api


def test_a_secret_that_is_no_text_is_refused_without_permissions_as_well(tmp_path: Path) -> None:
    told = faults(tree(accounts__own={**PERSONAL, "secret": 0}), folder=tmp_path)
    assert told == ["accounts.own.secret: must be a string; quote it"]


def test_a_test_account_can_stand_for_one_without_permissions() -> None:
    """A personal account can be tried on a test account, which has every permission."""
    account = personal(kind="test", aes_key="")
    assert (account.mode, account.allow_unsigned_body, account.secret) == ("plain", True, None)


@pytest.mark.parametrize("oauth", ["none", "base", "userinfo"])
def test_a_web_authorization_asks_for_a_person_or_their_profile(oauth: str) -> None:
    assert validate(tree(accounts__main__oauth=oauth)).accounts["main"].oauth == oauth


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]", "127.8.8.8"])
def test_a_local_stand_in_for_wechats_pages_may_be_http(host: str) -> None:
    account = validate(tree(accounts__main__open_base=f"http://{host}/open/")).accounts["main"]
    assert account.open_base == f"http://{host}/open"


def test_an_open_platform_account_is_named() -> None:
    assert validate(tree(accounts__main__open_platform="acme")).accounts["main"].open_platform == "acme"
