"""Settings: defaults, and every fault named by its path.

Covers: service.config.fault_lines, service.config.section.
"""

from pathlib import Path
from typing import Any

import pytest
from config_files import ACCOUNT, HASH, KEY, faults, tree

from models.language import Lang
from models.ticket import Confirm, Purpose
from service.config.settings import ConfigError, load, validate


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
        ({"data_dir": "a\0b"}, "data_dir: must not contain a NUL"),
        ({"redis": {"url": "redis://127.0.0.1:99999/0"}, "secret_key": "k" * 32}, "redis.url: must be embedded, "),
        ({"data_dir": 5}, "data_dir: must be a string; quote it"),
        ({"database__url": "oracle://x"}, "database.url: must be embedded, postgresql://"),
        ({"database__url": "postgresql+psycopg2://x"}, "database.url: must be embedded, postgresql://"),
        ({"database__url": "postgresql://h:port/d"}, "database.url: must be embedded, postgresql://"),
        ({"redis__url": "http://x"}, "redis.url: must be embedded, redis://"),
        ({"redis__url": "redis://"}, "redis.url: must be embedded, redis://"),
        ({"redis__url": "redis+sentinel://a:1,b:2"}, "redis.url: must be embedded, redis://"),
        ({"redis__url": "redis+cluster://a:1,,b:2"}, "redis.url: must be embedded, redis://"),
        ({"secret_key": "short"}, "secret_key: must be 32 characters or more"),
        ({"secret_key": ["k" * 32, "short"]}, "secret_key: must be 32 characters or more"),
        ({"secret_key": ["k" * 32, ""]}, "secret_key: must not be empty"),
        ({"secret_key": ["k" * 32, "l" * 32, "k" * 32]}, "secret_key: must not contain duplicates"),
        ({"secret_key": [32]}, "secret_key: must be a string, quoted if need be, or a list"),
        (
            {"secret_key": [], "redis__url": "redis://h"},
            "secret_key: is missing: needed unless both stores are embedded",
        ),
        ({"redis__url": "redis://h"}, "secret_key: is missing: needed unless both stores are embedded"),
        ({"database__url": "sqlite:///x"}, "secret_key: is missing: needed unless both stores are embedded"),
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
        ({"clients__shop__secret": ""}, "clients.shop.secret: is missing"),
        (
            {"clients__shop__secret": [16 * c for c in "abc"]},
            "clients.shop.secret: must not be more than two",
        ),
        ({"clients__shop__secret": "of 15 character"}, "clients.shop.secret: must be 16 characters or more"),
        ({"clients__shop__secret": ["a" * 16, "a" * 15]}, "clients.shop.secret: must be 16 characters or more"),
        ({"clients__shop__secret": ["a" * 16, "a" * 16]}, "clients.shop.secret: must not contain duplicates"),
        ({"clients__shop__secret_hash": [HASH, "x"]}, "clients.shop.secret_hash: must be sha256: and 43 char"),
        ({"clients__shop__secret_hash": HASH[:-1]}, "clients.shop.secret_hash: must be sha256: and 43 char"),
        ({"clients__shop__secret_hash": HASH[:-1] + "B"}, "clients.shop.secret_hash: must be sha256: and 43 char"),
        ({"accounts__main__secret": 12345}, "accounts.main.secret: must be a string; quote it"),
        ({"accounts__main__secret": " x"}, "accounts.main.secret: begins with a space: remove it"),
        ({"accounts__main__appid": "wx 1"}, "accounts.main.appid: must be an AppID, wx and 16 letters"),
        ({"accounts__main__token": []}, "accounts.main.token: is missing"),
        ({"accounts__main__token": 123}, "accounts.main.token: must be a string, quoted"),
        ({"accounts__main__aes_key": "x"}, "accounts.main.aes_key: must be 43 characters of A-Z a-z 0-9"),
        ({"accounts__main__aes_key": [KEY, "x"]}, "accounts.main.aes_key: must be 43 characters"),
        ({"accounts__main__aes_key": KEY[:-1] + "="}, "accounts.main.aes_key: must be 43 characters"),
        ({"accounts__main__aes_key": KEY + "\n"}, "accounts.main.aes_key: ends in a newline: remove it"),
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
        ({"clients__shop__accounts": ["main", "main"]}, "clients.shop.accounts: must not contain duplicates"),
        ({"clients__shop__accounts": ["other"]}, "clients.shop.accounts: must be names under accounts"),
        ({"accounts": None}, "clients.shop.accounts: must be names under accounts; missing there: main"),
        ({"accounts": {}}, "clients.shop.accounts: must be names under accounts; missing there: main"),
        ({"accounts__main__token": ["t" * 8] * 2}, "accounts.main.token: must not contain duplicates"),
        ({"accounts__main__aes_key": ["k" * 43] * 2}, "accounts.main.aes_key: must not contain duplicates"),
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
        "clients.shop.accounts: must be names under accounts; missing there: nobody",
        "servr: unknown key",
        "limts: unknown key (SCANBIND_LIMTS)",
    ]


def test_an_empty_section_is_a_section_left_out(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("server:\naccounts:\nclients:\n")
    assert load(file, {}) == validate({})


def test_a_hash_alone_is_enough_and_a_faulty_one_is_the_only_fault(tmp_path: Path) -> None:
    client = validate(tree(clients__shop__secret=None, clients__shop__secret_hash=HASH)).clients["shop"]
    assert (client.secret, len(client.secret_hash)) == ((), 1)
    [fault] = faults(tree(clients__shop__secret=None, clients__shop__secret_hash=f"{HASH}x"), folder=tmp_path)
    assert fault.startswith("clients.shop.secret_hash: must be sha256:")


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


def test_plain_mode_needs_no_key_once_it_is_chosen_aloud() -> None:
    account = tree(
        accounts__main__mode="plain", accounts__main__aes_key=None, accounts__main__allow_unsigned_body=True
    )
    assert validate(account).accounts["main"].aes_key == ()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        validate({}).server.port = 1
