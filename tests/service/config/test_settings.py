"""Configuration: what is accepted, what is refused, and in which words."""

import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from models.language import Lang
from models.ticket import Confirm, Purpose
from service.config import sources
from service.config.settings import _SHAPES, ConfigError, Settings, load, validate

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ACCOUNT = {"appid": "wx2c2769f8efd9abc2", "secret": "app-secret", "token": "spamtest", "aes_key": KEY}
HASH = "sha256:uFBhkmb2JXmZlEDDXb4GfKwqSqT1VHLwzVIJF5Q1Ypg"
CLIENT = {"name": "Shop", "secret": "the site's own secret", "accounts": ["main"]}


def tree(**changes: Any) -> dict[str, Any]:
    """A good configuration with *changes* at dotted paths (`__` for a dot)."""
    values: dict[str, Any] = {"accounts": {"main": dict(ACCOUNT)}, "clients": {"shop": dict(CLIENT)}}
    for path, value in changes.items():
        *above, last = path.split("__")
        place = values
        for step in above:
            place = place.setdefault(step, {})
        place[last] = value
    return values


def faults(values: Any, environ: dict[str, str] | None = None, *, folder: Path) -> list[str]:
    file = folder / "config.yaml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environ or {})
    shown = caught.value.__cause__ or (None if caught.value.__suppress_context__ else caught.value.__context__)
    assert shown is None, "the chain would show what was given"
    return caught.value.faults


def written(values: dict[str, Any], environ: dict[str, str], *, folder: Path) -> Settings:
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    return load(file, environ)


def test_nothing_configured_gives_the_defaults_of_the_contract(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None, {"HOME": "/", "SCANBINDER": "another program's"})
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.server.public_url == "http://127.0.0.1:8080"
    assert settings.server.trusted_proxies == ()
    assert settings.data_dir == Path("var")
    assert (settings.database.url, settings.redis.url) == ("embedded", "embedded")
    assert (settings.tickets.login_lifetime, settings.tickets.bind_lifetime) == (300, 600)
    assert (settings.limits.tickets_per_address, settings.limits.tickets_per_client) == (30, 3000)
    assert settings.accounts == {}
    assert settings.clients == {}


def test_accounts_and_clients_have_the_defaults_of_the_contract() -> None:
    settings = validate(tree())
    account, client = settings.accounts["main"], settings.clients["shop"]
    assert (account.mode, account.allow_unsigned_body, account.unfollow) == ("safe", False, "erase")
    assert account.api_base == "https://api.weixin.qq.com"
    assert (account.max_skew, account.gh_id) == (300, "")
    assert [key.get_secret_value() for key in account.aes_key] == [KEY]
    assert client.confirm == {Purpose.LOGIN: Confirm.CHOOSE, Purpose.BIND: Confirm.MATCH}
    assert (client.rebind, client.takeover, client.lang) == ("reject", "reject", Lang.ZH)
    assert client.name == {Lang.ZH: "Shop", Lang.EN: "Shop"}


def test_the_file_that_is_shipped_is_good() -> None:
    settings = load(Path(__file__).parents[3] / "config.yaml", {})
    assert settings == validate({"data_dir": "./var"})


def test_the_shipped_example_is_good_once_uncommented(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[3] / "config.yaml").read_text("utf-8")
    text = shipped.replace(": {}\n", ":\n").replace("\n#  ", "\n  ").replace('aes_key: "..."', f"aes_key: {KEY}")
    text = text.replace('secret: "..."', 'secret: "16 characters or more"')
    (tmp_path / "config.yaml").write_text(text, "utf-8")
    settings = load(tmp_path / "config.yaml", {})
    assert settings.clients["shop"].name[Lang.ZH] == "示例商城"
    assert settings.accounts["main"].mode == "safe"


def test_config_yaml_of_the_working_folder_is_read_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("server: {port: 9001}")
    assert load(None, {}).server.port == 9001


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml", {})


def test_the_default_address_follows_the_port() -> None:
    assert validate({"server": {"port": 9000}}).server.public_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"servr": {}}, "servr: unknown key"),
        ({"servr": None}, "servr: unknown key"),
        ({"server__prt": 1}, "server.prt: unknown key"),
        ({"server": [1]}, "server: must be a mapping"),
        ({"server__port": 65536}, "server.port: must be from 0 to 65535"),
        ({"server__port": -1}, "server.port: must be from 0 to 65535"),
        ({"server__port": True}, "server.port: must be a whole number"),
        ({"server__port": 80.5}, "server.port: must be a whole number"),
        ({"server__port": "http"}, "server.port: must be a whole number"),
        ({"server__port": "9" * 5000}, "server.port: must be a whole number"),
        ({"server__host": 127}, "server.host: must be a string; quote it"),
        ({"server__host": ["a"]}, "server.host: must be a string"),
        ({"server__public_url": "login.example"}, "server.public_url: must be an address"),
        ({"server__public_url": "https://a/?x=1"}, "server.public_url: must be an address"),
        ({"server__public_url": "https://a/#x"}, "server.public_url: must be an address"),
        ({"server__public_url": "https://u:p@a/"}, "server.public_url: must be an address"),
        ({"server__public_url": "ftp://a"}, "server.public_url: must be an address"),
        ({"server__trusted_proxies": ["10.0.0.1/8"]}, "server.trusted_proxies.0: must be a network"),
        ({"server__trusted_proxies": "10.0.0.0/8"}, "server.trusted_proxies: must be a list"),
        ({"data_dir": ""}, "data_dir: must not be empty"),
        ({"data_dir": "a\0b"}, "data_dir: must not be empty"),
        ({"redis": {"url": "redis://127.0.0.1:99999/0"}, "secret_key": "k" * 32}, "redis.url: must be embedded, "),
        ({"data_dir": 5}, "data_dir: must be a string; quote it"),
        ({"database__url": "oracle://x"}, "database.url: must be embedded, or an address"),
        ({"database__url": "postgresql+psycopg2://x"}, "database.url: must be embedded, or an address"),
        ({"database__url": "postgresql://h:port/d"}, "database.url: must be embedded, or an address"),
        ({"redis__url": "http://x"}, "redis.url: must be embedded, redis://"),
        ({"redis__url": "redis://"}, "redis.url: must be embedded, redis://"),
        ({"redis__url": "redis+sentinel://a:1,b:2"}, "redis.url: must be embedded, redis://"),
        ({"redis__url": "redis+cluster://a:1,,b:2"}, "redis.url: must be embedded, redis://"),
        ({"secret_key": "short"}, "secret_key: must be 32 characters or more"),
        ({"secret_key": ["k" * 32, "short"]}, "secret_key: must be 32 characters or more"),
        ({"secret_key": ["k" * 32, ""]}, "secret_key: must not be empty"),
        ({"secret_key": ["k" * 32, "l" * 32, "k" * 32]}, "secret_key: must not contain duplicates"),
        ({"secret_key": [32]}, "secret_key: must be a string, quoted if need be, or a list"),
        ({"secret_key": [], "redis__url": "redis://h"}, "secret_key: is missing: 32 characters or more"),
        ({"redis__url": "redis://h"}, "secret_key: is missing: 32 characters or more"),
        ({"database__url": "sqlite:///x"}, "secret_key: is missing: 32 characters or more"),
        (
            {"encryption__keys": ["k" * 31]},
            "encryption.keys: must be 32 characters or more each, without a comma, or the word clear",
        ),
        ({"encryption__keys": f"clear,{'k' * 32}"}, "encryption.keys: must be 32 characters or more each"),
        ({"encryption__keys": ["k" * 32, "Clear"]}, "encryption.keys: must be 32 characters or more each"),
        ({"encryption__keys": ["k" * 32] * 2}, "encryption.keys: must not contain duplicates"),
        ({"encryption__keys": ["clear", "clear"]}, "encryption.keys: must not contain duplicates"),
        ({"encryption": ["k" * 32]}, "encryption: must be a mapping"),
        ({"accounts": ["main"]}, "accounts: must be a mapping"),
        ({"accounts__Main": ACCOUNT}, "accounts.Main: must be a name"),
        (
            {"accounts__a__b": ACCOUNT, "accounts": {"a__b": ACCOUNT, "main": ACCOUNT}},
            "accounts.a__b: must be a name",
        ),
        ({"accounts": {"m" * 65: ACCOUNT, "main": ACCOUNT}}, f"accounts.{'m' * 65}: must be a name"),
        ({"accounts": {7: ACCOUNT, "main": ACCOUNT}}, "accounts.7: must be a string; quote it"),
        ({"accounts__main": None}, "accounts.main.secret: is missing"),
        ({"accounts__main__secret": None}, "accounts.main.secret: is missing"),
        ({"clients__shop__secret": None}, "clients.shop.secret: is missing"),
        ({"clients__shop__secret": []}, "clients.shop.secret: is missing"),
        ({"clients__shop__secret": ""}, "clients.shop.secret: must not be empty"),
        (
            {"clients__shop__secret": [16 * c for c in "abc"]},
            "clients.shop.secret: must be one, or two while rotating",
        ),
        ({"clients__shop__secret": "of 15 character"}, "clients.shop.secret: must be 16 characters or more"),
        ({"clients__shop__secret": ["a" * 16, "a" * 15]}, "clients.shop.secret: must be 16 characters or more"),
        ({"clients__shop__secret": ["a" * 16, "a" * 16]}, "clients.shop.secret: must not contain duplicates"),
        ({"clients__shop__secret_hash": [HASH, "x"]}, "clients.shop.secret_hash: must be sha256: and 43 char"),
        ({"clients__shop__secret_hash": HASH[:-1]}, "clients.shop.secret_hash: must be sha256: and 43 char"),
        ({"clients__shop__secret_hash": HASH[:-1] + "B"}, "clients.shop.secret_hash: must be sha256: and 43 char"),
        ({"accounts__main__secret": 12345}, "accounts.main.secret: must be a string; quote it"),
        ({"accounts__main__secret": " x"}, "accounts.main.secret: must not be empty"),
        ({"accounts__main__appid": "wx 1"}, "accounts.main.appid: must be 1 to 64 characters"),
        ({"accounts__main__token": []}, "accounts.main.token: is missing"),
        ({"accounts__main__token": 123}, "accounts.main.token: must be a string, quoted"),
        ({"accounts__main__aes_key": "x"}, "accounts.main.aes_key: must be 43 characters of A-Z a-z 0-9"),
        ({"accounts__main__aes_key": [KEY, "x"]}, "accounts.main.aes_key: must be 43 characters"),
        ({"accounts__main__aes_key": KEY[:-1] + "="}, "accounts.main.aes_key: must be 43 characters"),
        ({"accounts__main__aes_key": KEY + "\n"}, "accounts.main.aes_key: must be 43 characters"),
        ({"accounts__main__aes_key": None}, "accounts.main.aes_key: is missing"),
        ({"accounts__main__mode": "secure"}, "accounts.main.mode: must be safe, compatible or plain"),
        ({"accounts__main__mode": "plain"}, "accounts.main.allow_unsigned_body: must be true with mode plain"),
        ({"accounts__main__allow_unsigned_body": "perhaps"}, "allow_unsigned_body: must be true or false"),
        ({"accounts__main__api_base": "api"}, "accounts.main.api_base: must be an address"),
        ({"accounts__main__max_skew": 29}, "accounts.main.max_skew: must be 0, or from 30 to 3600"),
        ({"accounts__main__max_skew": 3601}, "accounts.main.max_skew: must be 0, or from 30 to 3600"),
        ({"accounts__main__max_skew": -1}, "accounts.main.max_skew: must be 0 or more"),
        ({"accounts__main__gh_id": "gh 1"}, "accounts.main.gh_id: must be an original id"),
        ({"accounts__main__unfollow": "forget"}, "accounts.main.unfollow: must be erase or keep"),
        ({"clients__shop__name": {}}, "clients.shop.name: must be a name"),
        ({"clients__shop__name": {"fr": "Boutique"}}, "clients.shop.name.fr: unknown key"),
        ({"clients__shop__name": 5}, "clients.shop.name: must be a mapping"),
        ({"clients__shop__name": "a\nb"}, "clients.shop.name.zh: must be 1 to 64 characters"),
        ({"clients__shop__accounts": []}, "clients.shop.accounts: must name at least one"),
        ({"clients__shop__accounts": ["main", "main"]}, "clients.shop.accounts: must not name an account twice"),
        ({"clients__shop__accounts": ["other"]}, "clients.shop.accounts: must name configured accounts"),
        ({"clients__shop__origins": ["*"]}, "clients.shop.origins.0: must be an origin"),
        ({"clients__shop__origins": ["null"]}, "clients.shop.origins.0: must be an origin"),
        ({"clients__shop__origins": ["https://shop.example/"]}, "clients.shop.origins.0: must be an origin"),
        ({"clients__shop__origins": ["https://shop.example:0"]}, "clients.shop.origins.0: must be an origin"),
        ({"clients__shop__origins": ["https://例.example"]}, "clients.shop.origins.0: must be an origin"),
        ({"clients__shop__confirm": "maybe"}, "clients.shop.confirm.login: must be none, tap, choose or match"),
        ({"clients__shop__confirm": {"pay": "tap"}}, "clients.shop.confirm.pay: unknown key"),
        ({"clients__shop__takeover": "replace"}, "clients.shop.takeover: must be reject or move"),
        ({"clients__shop__rebind": "move"}, "clients.shop.rebind: must be reject or replace"),
        ({"clients__shop__lang": "fr"}, "clients.shop.lang: must be zh or en"),
        ({"tickets__login_lifetime": 29}, "tickets.login_lifetime: must be from 30 to 1800"),
        ({"privacy__history_days": 0}, "privacy.history_days: must be from 1 to 36500"),
        ({"privacy__audit_days": "long"}, "privacy.audit_days: must be a whole number"),
        ({"clients__shop__consent": "x" * 65}, "clients.shop.consent: must be 64 characters at most"),
        ({"tickets__bind_lifetime": 1801}, "tickets.bind_lifetime: must be from 30 to 1800"),
        ({"limits__tickets_per_client": -1}, "limits.tickets_per_client: must be 0 or more"),
        ({"limits__waiting": -1}, "limits.waiting: must be 0 or more"),
        ({"accounts__main__codes_per_day": 0}, "accounts.main.codes_per_day: must be 1 or more"),
        (
            {"accounts__main__codes_per_day": 5000},
            "accounts.main.codes_for_binds: must be less than codes_per_day, to leave QR codes for logins",
        ),
    ],
)
def test_each_fault_is_named_by_its_path(changes: dict[str, Any], fault: str, tmp_path: Path) -> None:
    found = faults(tree(**changes), folder=tmp_path)
    assert any(fault in line for line in found), found


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    values = tree(servr=1, server__port=70000, accounts__main__secret=None, clients__shop__accounts=["nobody"])
    assert faults(values, {"SCANBIND_LIMTS": "x"}, folder=tmp_path) == [
        "server.port: must be from 0 to 65535",
        "accounts.main.secret: is missing",
        "clients.shop.accounts: must name configured accounts; not configured: nobody",
        "servr: unknown key",
        "limts: unknown key (SCANBIND_LIMTS)",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("server: {port: 1}\nserver: {port: 2}\n", "server: duplicate key (line 2)"),
        ("server:\n  port: 1\n  port: 2\n", "server.port: duplicate key (line 3)"),
        ("- a\n- b\n", "config.yaml: must be a mapping"),
        ("just words", "config.yaml: must be a mapping"),
        ("secret_key: *hunter2hunter2\n", "config.yaml: is not YAML (line 1, column 13)"),
        ("secret_key: !hunter2 x\n", "config.yaml: is not YAML (line 1"),
        ("a: [1\nb: 2\n", "config.yaml: is not YAML (line 2"),
        ("a: 2024-13-45\n", "config.yaml: is not YAML"),
        ("? [1]\n: 2\n", "config.yaml: is not YAML"),
        ("{a: b}: c\n", "config.yaml: is not YAML"),
        ("a: !!timestamp x\n", "config.yaml: is not YAML"),
        ("a: " + "[" * 5000, "config.yaml: is not YAML"),
        ("a: &a [*a]\n", "a: unknown key"),
    ],
)
def test_files_that_are_not_plain_yaml_mappings_are_refused(text: str, fault: str, tmp_path: Path) -> None:
    found = faults(text, folder=tmp_path)
    assert any(fault in line for line in found), found
    assert not any("hunter2" in line for line in found)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"a: \xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"c\.yaml: is not YAML"):
        load(tmp_path / "c.yaml", {})


def test_an_empty_section_is_a_section_left_out(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("server:\naccounts:\nclients:\n")
    assert load(file, {}) == validate({})


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "SCANBIND_SERVER__PORT": "9000",
        "SCANBIND_ACCOUNTS__MAIN__SECRET": "from-the-environment",
        "SCANBIND_ACCOUNTS__MAIN__MODE": "plain",
        "SCANBIND_ACCOUNTS__MAIN__ALLOW_UNSIGNED_BODY": "true",
        "SCANBIND_CLIENTS__SHOP__NAME__EN": "The shop",
        "SCANBIND_CLIENTS__SHOP__CONFIRM__BIND": "tap",
        "SCANBIND_CLIENTS__SHOP__ORIGINS": "https://a.example, https://b.example",
        "SCANBIND_SERVER__TRUSTED_PROXIES": '["10.0.0.0/8", "::1"]',
        "SCANBIND_TICKETS": '{"login_lifetime": 60}',
        "SCANBIND_ACCOUNTS__SECOND": json.dumps(ACCOUNT),
    }
    settings = written(tree(clients__shop__confirm="choose"), environ, folder=tmp_path)
    shop = settings.clients["shop"]
    assert settings.server.port == 9000
    assert settings.accounts["main"].secret.get_secret_value() == "from-the-environment"
    assert settings.accounts["main"].mode == "plain"
    assert settings.accounts["second"].appid == ACCOUNT["appid"]
    assert shop.name == {Lang.ZH: "Shop", Lang.EN: "The shop"}
    assert shop.confirm == {Purpose.LOGIN: Confirm.CHOOSE, Purpose.BIND: Confirm.TAP}
    assert shop.origins == ("https://a.example", "https://b.example")
    assert settings.server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.tickets.login_lifetime == 60


def test_variables_also_win_over_values_given_in_code() -> None:
    settings = validate({"server": {"port": 1, "host": "::1"}}, {"SCANBIND_SERVER__PORT": "2"})
    assert (settings.server.port, settings.server.host) == (2, "::1")
    with pytest.raises(ConfigError, match=r"servr: unknown key \(SCANBIND_SERVR\)"):
        validate({}, {"SCANBIND_SERVR": "x"})


def test_numbers_in_variables_stay_text_where_text_is_due(tmp_path: Path) -> None:
    environ = {"SCANBIND_ACCOUNTS__MAIN__SECRET": "12345", "SCANBIND_ACCOUNTS__MAIN__TOKEN": "123,456"}
    account = written(tree(), environ, folder=tmp_path).accounts["main"]
    assert account.secret.get_secret_value() == "12345"
    assert [token.get_secret_value() for token in account.token] == ["123", "456"]


def test_a_variable_changes_one_of_two_accounts_that_share_an_alias(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    body = yaml.safe_dump(ACCOUNT, default_flow_style=True).strip()
    file.write_text(f"accounts:\n  main: &one {body}\n  other: *one\n")
    accounts = load(file, {"SCANBIND_ACCOUNTS__MAIN__APPID": "wxchanged"}).accounts
    assert (accounts["main"].appid, accounts["other"].appid) == ("wxchanged", ACCOUNT["appid"])


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("SCANBIND_SERVR__PORT", "1", "servr: unknown key (SCANBIND_SERVR__PORT)"),
        ("SCANBIND_SERVER__PORT__X", "1", "server.port.x: unknown key (SCANBIND_SERVER__PORT__X)"),
        ("SCANBIND_ACCOUNTS__MAIN__SECRET__X", "1", "accounts.main.secret.x: unknown key"),
        ("SCANBIND_SERVER__PORT", "many", "server.port: must be a whole number (SCANBIND_SERVER__PORT)"),
        ("SCANBIND_SERVER", "{", "server: is not valid JSON (SCANBIND_SERVER)"),
        ("SCANBIND_SERVER", "x", "server: must be a mapping (SCANBIND_SERVER)"),
        ("SCANBIND_", "x", "SCANBIND_: unknown key (SCANBIND_)"),
        ("SCANBIND_X\n\ud800", "x", "('SCANBIND_X\\n\\ud800')"),
    ],
)
def test_faults_in_variables_name_the_variable(name: str, value: str, fault: str, tmp_path: Path) -> None:
    found = faults(tree(server__port=1), {name: value}, folder=tmp_path)
    assert any(fault in line for line in found), found
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize("key", ["k" * 20 + "," + "l" * 20, "k" * 40 + "]"])
def test_a_variable_with_one_key_or_secret_is_never_parted(key: str) -> None:
    environ = {"SCANBIND_SECRET_KEY": key, "SCANBIND_CLIENTS__SHOP__SECRET": key}
    settings = validate(tree(), environ)
    for secrets in (settings.secret_key, settings.clients["shop"].secret):
        assert [secret.get_secret_value() for secret in secrets] == [key]


def test_a_variable_may_hold_several_keys_and_secrets_as_json(tmp_path: Path) -> None:
    keys = ["k,k" * 20, "l" * 40]
    environ = {
        "SCANBIND_SECRET_KEY": json.dumps(keys),
        "SCANBIND_CLIENTS__SHOP__SECRET": json.dumps(keys),
        "SCANBIND_CLIENTS__SHOP__SECRET_HASH": f"{HASH},{HASH[:-2]}AA",
    }
    settings = validate(tree(), environ)
    for secrets in (settings.secret_key, settings.clients["shop"].secret):
        assert [secret.get_secret_value() for secret in secrets] == keys
    assert len(settings.clients["shop"].secret_hash) == 2
    broken = faults(tree(), {"SCANBIND_SECRET_KEY": f'["{keys[0]}", "{keys[1]}'}, folder=tmp_path)
    assert broken == ["secret_key: is not valid JSON (SCANBIND_SECRET_KEY)"]


def test_a_hash_alone_is_enough_and_a_faulty_one_is_the_only_fault(tmp_path: Path) -> None:
    client = validate(tree(clients__shop__secret=None, clients__shop__secret_hash=HASH)).clients["shop"]
    assert (client.secret, len(client.secret_hash)) == ((), 1)
    [fault] = faults(tree(clients__shop__secret=None, clients__shop__secret_hash=f"{HASH}x"), folder=tmp_path)
    assert fault.startswith("clients.shop.secret_hash: must be sha256:")


def test_encryption_keys_may_be_one_or_several_in_the_file_or_in_a_variable(tmp_path: Path) -> None:
    one, other = "1" * 32, "2" * 32
    for text in (json.dumps([one, other]), f"{one},{other}"):
        told = written(tree(), {"SCANBIND_ENCRYPTION__KEYS": text}, folder=tmp_path).encryption
        assert [key.get_secret_value() for key in told.keys] == [one, other]
    [key] = validate(tree(encryption__keys=one)).encryption.keys
    assert key.get_secret_value() == one
    assert validate(tree()).encryption.keys == ()


@given(st.text(alphabet="_AZ", max_size=12), st.text(alphabet='{}[]",:az1', max_size=12))
def test_no_variable_ends_in_anything_but_settings_or_faults(name: str, value: str) -> None:
    tree = sources.read(None, {f"SCANBIND_{name}": value}, _SHAPES)
    assert tree.values or tree.faults


def test_no_message_and_no_repr_holds_a_secret(tmp_path: Path) -> None:
    hidden = "hunter2"
    values = tree(
        secret_key=hidden,
        accounts__main__secret=f" {hidden}",
        accounts__main__token=[f"{hidden} "],
        accounts__main__aes_key=hidden,
        clients__shop__secret=f"{hidden} ",
        database__url=f"oracle://u:{hidden}@h/d",
        redis__url=f"http://:{hidden}@h",
        encryption__keys=[hidden],
    )
    found = faults(values, folder=tmp_path)
    assert len(found) == 8
    assert hidden not in "\n".join(found)
    good = tree(
        secret_key=hidden * 5,
        encryption__keys=[hidden * 5, hidden * 6],
        accounts__main__secret=hidden,
        accounts__main__token=hidden,
        clients__shop__secret=hidden * 3,
        database__url=f"postgresql://u:{hidden}@h/d",
        redis__url=f"redis://:{hidden}@h",
    )
    assert hidden not in repr(validate(good))


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("embedded", "embedded"),
        ("sqlite:////srv/a.db", "sqlite+aiosqlite:////srv/a.db"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p:/?#@[::1]:5432/d?x=1", "postgresql+asyncpg://u:p:/?#@[::1]:5432/d?x=1"),
        ("postgresql:///d?host=/run/pg", "postgresql+asyncpg:///d?host=/run/pg"),
        ("postgres://h/d", "postgresql+asyncpg://h/d"),
        ("mysql://h/d", "mysql+asyncmy://h/d"),
        ("mariadb://h/d", "mysql+asyncmy://h/d"),
        ("mysql+asyncmy://h/d?charset=utf8mb4", "mysql+asyncmy://h/d?charset=utf8mb4"),
    ],
)
def test_databases_get_their_async_driver(given_url: str, kept: str) -> None:
    assert validate({"secret_key": "k" * 32, "database": {"url": given_url}}).database.url == kept


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:p%40ss@127.0.0.1:6379/0?ssl_cert_reqs=none",
        "rediss://u:p@[::1]:6380/1",
        "unix:///run/valkey.sock?db=1",
        "redis+sentinel://h1:26379,h2:26379/mymaster/0",
        "redis+sentinel://:p@h1/mymaster",
        "redis+cluster://h1:7000,h2:7001",
    ],
)
def test_every_kind_of_redis_is_taken_as_written(url: str) -> None:
    assert validate({"secret_key": "k" * 32, "redis": {"url": url}}).redis.url == url


@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://127.0.0.1:08081", "http://127.0.0.1:8081"),
        ("http://[::1]:8081", "http://[::1]:8081"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(origin: str, kept: str) -> None:
    assert validate(tree(clients__shop__origins=[origin])).clients["shop"].origins == (kept,)


def test_addresses_lose_the_slash_at_their_end() -> None:
    assert (
        validate({"server": {"public_url": "https://a.example/wx/"}}).server.public_url == "https://a.example/wx"
    )


def test_plain_mode_needs_no_key_once_it_is_chosen_aloud() -> None:
    account = tree(
        accounts__main__mode="plain", accounts__main__aes_key=None, accounts__main__allow_unsigned_body=True
    )
    assert validate(account).accounts["main"].aes_key == ()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        validate({}).server.port = 1


def test_variables_know_every_list_and_mapping_of_the_settings() -> None:
    """A new list or mapping must also be readable from a variable."""

    def shapes(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type]]:
        for name, field in model.model_fields.items():
            text = str(field.annotation)
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield (*place, name), dict
                yield from shapes(field.annotation, (*place, name))
            elif text.startswith("tuple["):
                yield (*place, name), list
            elif "Mapping[" in text:
                yield (*place, name), dict
                inner = get_args(field.annotation)[1]
                if isinstance(inner, type) and issubclass(inner, BaseModel):
                    yield (*place, name, "*"), dict
                    yield from shapes(inner, (*place, name, "*"))

    written = {place: list if kind is tuple else kind for place, kind in _SHAPES.kinds.items()}
    assert dict(shapes(Settings, ())) == written
