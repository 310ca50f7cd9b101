"""Environment variables: they win over the file, and faults name the variable."""

import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest
import yaml
from config_files import ACCOUNT, HASH, faults, tree, written
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from models.language import Lang
from models.ticket import Confirm, Purpose
from service.config import sources
from service.config.settings import _SHAPES, ConfigError, Settings, load, validate


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
    with pytest.raises(ConfigError, match=r"c\.yaml: is not UTF-8 \(line 1\)"):
        load(tmp_path / "c.yaml", {})


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
        "SCANBIND_ACCOUNTS__SECOND": json.dumps(ACCOUNT | {"appid": "wx0123456789abcdef"}),
    }
    settings = written(tree(clients__shop__confirm="choose"), environ, folder=tmp_path)
    shop = settings.clients["shop"]
    assert settings.server.port == 9000
    assert settings.accounts["main"].secret.get_secret_value() == "from-the-environment"
    assert settings.accounts["main"].mode == "plain"
    assert settings.accounts["second"].appid == "wx0123456789abcdef"
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
    accounts = load(file, {"SCANBIND_ACCOUNTS__MAIN__APPID": "wx0123456789abcdef"}).accounts
    assert (accounts["main"].appid, accounts["other"].appid) == ("wx0123456789abcdef", ACCOUNT["appid"])


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


def test_variables_know_every_list_and_mapping_of_the_settings() -> None:
    """A new list or mapping must also be readable from a variable."""

    def shapes(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type]]:
        for name, field in model.model_fields.items():
            text = str(field.annotation)
            optional = next((one for one in get_args(field.annotation) if text.endswith(" | None")), None)
            section = optional or field.annotation
            if isinstance(section, type) and issubclass(section, BaseModel):
                yield (*place, name), dict
                yield from shapes(section, (*place, name))
            elif text.startswith("tuple["):
                yield (*place, name), list
            elif "Mapping[" in text:
                yield (*place, name), dict
                inner = get_args(field.annotation)[1]
                for kind in get_args(get_args(inner)[0]) if get_origin(inner) is Annotated else (inner,):
                    if isinstance(kind, type) and issubclass(kind, BaseModel):
                        yield (*place, name, "*"), dict
                        yield from shapes(kind, (*place, name, "*"))

    written = {place: list if kind is tuple else kind for place, kind in _SHAPES.kinds.items()}
    assert dict(shapes(Settings, ())) == written
