"""Test accounts (测试号): what `kind: test` stands for, what it refuses, and the warning that nothing signs.

Red when `kind` sets no default, when a key beside it is not compared with it, and when an empty AES key counts as
one.
"""

from pathlib import Path
from typing import Any

import pytest
from config_files import KEY, faults, tree

from service.config.accounts import Account
from service.config.review import cautions
from service.config.settings import Settings, validate

TEST = {"kind": "test", "appid": "wx0123456789abcdef", "secret": "s", "token": "t"}
PLAIN = {**TEST, "kind": "official", "mode": "plain", "allow_unsigned_body": True}


def settings(account: dict[str, Any], environ: dict[str, str] | None = None) -> Settings:
    return validate(tree(accounts__main=account), environ or {})


def main(account: dict[str, Any]) -> Account:
    return settings(account).accounts["main"]


def test_a_test_account_needs_nothing_but_what_it_has() -> None:
    account = main(TEST)
    assert (account.mode, account.allow_unsigned_body, account.aes_key) == ("plain", True, ())
    assert (account.codes_per_day, account.codes_for_binds) == (10_000, 5000)


@pytest.mark.parametrize(
    "beside",
    [
        {"mode": "plain"},
        {"allow_unsigned_body": True},
        {"aes_key": ""},
        {"aes_key": []},
        {"aes_key": None},
        {"max_skew": 0},
    ],
)
def test_settings_that_agree_with_a_test_account_are_accepted(beside: dict[str, Any]) -> None:
    changed = {"max_skew": 0} if "max_skew" in beside else {}
    assert main({**TEST, **beside}) == main(TEST).model_copy(update=changed)


def test_its_quota_can_be_set() -> None:
    assert main({**TEST, "codes_per_day": 200, "codes_for_binds": 20}).codes_per_day == 200


@pytest.mark.parametrize(
    ("beside", "path"),
    [
        ({"mode": "safe"}, "mode"),
        ({"mode": "compatible"}, "mode"),
        ({"aes_key": KEY}, "aes_key"),
        ({"aes_key": [KEY]}, "aes_key"),
        ({"allow_unsigned_body": False}, "allow_unsigned_body"),
    ],
)
def test_settings_that_contradict_a_test_account_are_refused_by_path(
    beside: dict[str, Any], path: str, tmp_path: Path
) -> None:
    [fault] = faults(tree(accounts__main={**TEST, **beside}), folder=tmp_path)
    assert fault.startswith(f"accounts.main.{path}: must be ")
    assert "left out with kind test" in fault


def test_all_contradictions_are_reported_at_once(tmp_path: Path) -> None:
    account = {**TEST, "mode": "safe", "aes_key": KEY, "allow_unsigned_body": False}
    told = faults(tree(accounts__main=account), folder=tmp_path)
    assert [fault.split(":")[0] for fault in told] == [
        f"accounts.main.{name}" for name in ("mode", "aes_key", "allow_unsigned_body")
    ]


@pytest.mark.parametrize("kind", ["Test", "sandbox", "", "测试号", True, 5, ["test"]])
def test_another_kind_is_refused(kind: Any, tmp_path: Path) -> None:
    [fault] = faults(tree(accounts__main={**TEST, "kind": kind}), folder=tmp_path)
    assert fault.startswith("accounts.main.kind: must be official or test")


@pytest.mark.parametrize("mode", ["safe", "compatible"])
def test_an_empty_aes_key_is_none(mode: str, tmp_path: Path) -> None:
    values = tree(accounts__main__mode=mode)
    values["accounts"]["main"]["aes_key"] = ""
    expected = "accounts.main.aes_key: is missing: modes safe and compatible need it"
    assert faults(values, folder=tmp_path) == [expected]
    variable = {"SCANBIND_ACCOUNTS__MAIN__AES_KEY": ""}
    assert faults(tree(accounts__main__mode=mode), variable, folder=tmp_path) == [
        f"{expected} (SCANBIND_ACCOUNTS__MAIN__AES_KEY)"
    ]
    assert main({**PLAIN, "aes_key": ""}).aes_key == ()


@pytest.mark.parametrize(("account", "path"), [(TEST, "kind"), (PLAIN, "mode")])
def test_an_account_whose_pushes_nothing_signs_is_a_caution(account: dict[str, Any], path: str) -> None:
    [caution] = cautions(settings(account))
    assert caution.path == f"accounts.main.{path}"
    assert "nothing signs the bodies of its pushes" in caution.message


def test_accounts_whose_pushes_are_signed_are_no_caution() -> None:
    assert list(cautions(validate(tree()))) == []
