"""Clients: the methods that a site offers, and what each of them needs.

Red when a method's need is not looked for among the client's own accounts and apps, when an account without
permissions counts for the scan, and when a redirect needs no address to return to.
"""

from pathlib import Path
from typing import Any

import pytest
from bad_methods import MINI, WEBSITE, WECOM
from config_files import ACCOUNT, faults, tree

from models.method import Method
from service.config.clients import MOST_RETURN_URLS
from service.config.settings import validate

DONE = "https://shop.example/login/done?from=wechat"
APPS = {"site": WEBSITE, "mini": MINI, "corp": WECOM}
OTHER = {**ACCOUNT, "appid": "wx00000000000000dd"}
OAUTH, API = "an account with oauth base or userinfo", "an account with api true"
NEEDS = {
    Method.SCAN: API,
    Method.LINK: OAUTH,
    Method.MINIPROGRAM: "an app of kind miniprogram",
    Method.PASSCODE: "an account",
    Method.WEBSITE: "an app of kind website and return_urls",
    Method.H5: f"{OAUTH} and return_urls",
    Method.WECOM: "an app of kind wecom and return_urls",
}


def configured(**shop: Any) -> dict[str, Any]:
    """All kinds of accounts and apps, of which the shop has those that *shop* names."""
    values = tree(apps=APPS, **{f"clients__shop__{name}": value for name, value in shop.items()})
    values["accounts"] |= {
        "pages": {**OTHER, "oauth": "base"},
        "own": {**ACCOUNT, "appid": "wx00000000000000ee", "api": False},
    }
    return values


def test_a_client_of_today_offers_the_scan() -> None:
    client = validate(tree()).clients["shop"]
    assert client.methods == (Method.SCAN,)
    assert (client.apps, client.return_urls, client.profile) == ((), (), False)


def test_apps_may_be_named_before_a_method_uses_them() -> None:
    client = validate(configured(apps=["corp", "site"], return_urls=[DONE], profile=True)).clients["shop"]
    assert (client.apps, client.return_urls, client.profile) == (("corp", "site"), (DONE,), True)


def test_lists_are_read_from_variables() -> None:
    environ = {
        "SCANBIND_CLIENTS__SHOP__APPS": "corp, site",
        "SCANBIND_CLIENTS__SHOP__METHODS": "scan",
        "SCANBIND_CLIENTS__SHOP__RETURN_URLS": f'["{DONE}","{DONE},"]',
        "SCANBIND_CLIENTS__SHOP__PROFILE": "true",
    }
    client = validate(configured(), environ).clients["shop"]
    assert (client.apps, client.methods) == (("corp", "site"), (Method.SCAN,))
    assert (client.return_urls, client.profile) == ((DONE, f"{DONE},"), True)


def test_a_client_has_the_tokens_that_are_granted_alone() -> None:
    assert validate(configured(accounts=["main"])).clients["shop"].access_token == ()
    environ = {"SCANBIND_CLIENTS__SHOP__ACCESS_TOKEN": "main, pages"}
    client = validate(configured(accounts=["main"]), environ).clients["shop"]
    assert client.access_token == ("main", "pages")


@pytest.mark.parametrize(
    ("granted", "fault"),
    [
        (["main", "none", "own"], "must be names of accounts with api true; not among these: none, own"),
        (["site"], "must be names of accounts with api true; not among these: site"),
        (["main", "main"], "must not contain duplicates"),
    ],
    ids=["unknown and without permissions", "an app", "twice"],
)
def test_only_accounts_that_have_a_token_are_granted(granted: list[str], fault: str, tmp_path: Path) -> None:
    """Red when an account with `api: false` or an app passes: its token would be asked for in vain."""
    assert faults(configured(access_token=granted), folder=tmp_path) == [f"clients.shop.access_token: {fault}"]


def test_grants_are_judged_when_the_accounts_are_valid(tmp_path: Path) -> None:
    values = configured(access_token=["main"])
    values["accounts"]["main"]["appid"] = "gh_1"
    assert [line.partition(":")[0] for line in faults(values, folder=tmp_path)] == ["accounts.main.appid"]


def test_one_account_with_permissions_is_enough_for_the_scan() -> None:
    assert validate(configured(accounts=["own", "main"])).clients["shop"].accounts == ("own", "main")


def test_a_client_with_all_kinds_may_offer_every_method_in_its_order() -> None:
    methods = tuple(reversed(Method))
    given = configured(accounts=["pages"], apps=list(APPS), methods=list(map(str, methods)), return_urls=[DONE])
    assert validate(given).clients["shop"].methods == methods


@pytest.mark.parametrize(
    ("method", "means"),
    [
        ("scan", {"accounts": ["main"]}),
        ("link", {"accounts": ["pages"]}),
        ("miniprogram", {"accounts": [], "apps": ["mini"]}),
        ("passcode", {"accounts": ["own"]}),
        ("website", {"accounts": [], "apps": ["site"], "return_urls": [DONE]}),
        ("h5", {"accounts": ["pages"], "return_urls": [DONE]}),
        ("wecom", {"accounts": [], "apps": ["corp"], "return_urls": [DONE]}),
    ],
)
def test_each_method_needs_no_more_than_this(method: str, means: dict[str, Any]) -> None:
    assert validate(configured(methods=[method], **means)).clients["shop"].methods == (method,)


@pytest.mark.parametrize("method", [method for method in Method if method is not Method.PASSCODE])
def test_what_others_have_does_not_help(method: Method, tmp_path: Path) -> None:
    told = faults(configured(accounts=["own"], methods=[method.value]), folder=tmp_path)
    assert told == [f"clients.shop.methods: {method} needs {NEEDS[method]}"]


def test_all_methods_that_lack_something_are_named_at_once(tmp_path: Path) -> None:
    told = faults(configured(accounts=[], apps=["mini"], methods=list(map(str, Method))), folder=tmp_path)
    lacking = [f"{method} needs {needs}" for method, needs in NEEDS.items() if method is not Method.MINIPROGRAM]
    assert told == [f"clients.shop.methods: {'; '.join(lacking)}"]


def test_faults_of_a_client_are_reported_beside_faults_of_its_accounts(tmp_path: Path) -> None:
    values = configured(accounts=["own", "none"], methods=["scan", "miniprogram"])
    values["accounts"]["own"]["appid"] = "gh_1"
    assert [line.partition(":")[0] for line in faults(values, folder=tmp_path)] == [
        "accounts.own.appid",
        "clients.shop.accounts",
    ]


def test_there_may_be_this_many_addresses_to_return_to() -> None:
    urls = [f"{DONE}&{number}" for number in range(MOST_RETURN_URLS)]
    assert validate(configured(return_urls=urls)).clients["shop"].return_urls == tuple(urls)


KEYS = ["A" * 43, "_" * 42 + "8"]


def test_sealing_keys_are_one_or_two_and_show_nothing() -> None:
    environ = {"SCANBIND_CLIENTS__SHOP__SEALING_KEY": ",".join(KEYS)}
    client = validate(tree(), environ).clients["shop"]
    assert [key.get_secret_value() for key in client.sealing_key] == KEYS
    assert not any(key in repr(client) for key in KEYS)
    assert len(validate(tree(clients__shop__sealing_key=KEYS[0])).clients["shop"].sealing_key) == 1


@pytest.mark.parametrize(
    "key",
    ["A" * 42, "A" * 44, "A" * 42 + "B", "A" * 43 + "=", "+" + "A" * 42, "/" + "A" * 42, "é" + "A" * 42, "A" * 64],
)
def test_a_sealing_key_is_32_bytes_in_one_way(key: str, tmp_path: Path) -> None:
    """Red when the last character may have stray bits, or a key another length."""
    [fault] = faults(tree(clients__shop__sealing_key=[KEYS[1], key]), folder=tmp_path)
    assert fault == (
        "clients.shop.sealing_key: must be 32 bytes as 43 characters of base64url, "
        "as `scanbind keys new sealing_key` prints them"
    )


def test_there_are_at_most_two_sealing_keys_and_no_duplicates(tmp_path: Path) -> None:
    for keys, told in ([*KEYS, "B" * 42 + "A"], "more than two"), ([KEYS[0]] * 2, "duplicates"):
        [fault] = faults(tree(clients__shop__sealing_key=keys), folder=tmp_path)
        assert fault.startswith("clients.shop.sealing_key: must not ")
        assert told in fault


def test_a_client_that_must_seal_needs_a_sealing_key_and_no_secret(tmp_path: Path) -> None:
    must = {"clients__shop__require_sealed": True, "clients__shop__secret": None}
    client = validate(tree(**must, clients__shop__sealing_key=KEYS[0])).clients["shop"]
    assert (client.require_sealed, client.secret) == (True, ())
    [fault] = faults(tree(**must), folder=tmp_path)
    assert fault.startswith("clients.shop.sealing_key: is missing: needed with require_sealed; ")
    without = tree(clients__shop__secret=None, clients__shop__sealing_key=KEYS[0])
    assert faults(without, folder=tmp_path) == ["clients.shop.secret: is missing: set secret or secret_hash"]


def test_notices_are_off_unless_they_are_switched_on() -> None:
    assert not validate(tree()).clients["shop"].notices
    assert validate(tree(clients__shop__notices=True)).clients["shop"].notices


@pytest.mark.parametrize(
    "shop",
    [
        {"accounts": ["own"], "methods": ["passcode"]},
        {"accounts": [], "apps": ["mini"], "methods": ["miniprogram"]},
    ],
    ids=["no permissions", "no account"],
)
def test_notices_need_an_account_that_can_write(shop: dict[str, Any], tmp_path: Path) -> None:
    """Red when another client's account counts."""
    found = faults(configured(**shop, notices=True), folder=tmp_path)
    assert found == [f"clients.shop.notices: needs {API}"]
    assert validate(configured(**shop | {"accounts": ["own", "main"]}, notices=True)).clients["shop"].notices
