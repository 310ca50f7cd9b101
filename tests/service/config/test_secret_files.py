"""Each setting whose value is secret can be read from a file instead; no message quotes a file's name or content.

Red when a secret setting has no `*_file` form, when a fault of a file has no line or two, when a line quotes
a name or content, when one source may set both forms, and when a variable does not win over the file's other form.
"""

import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_files import ACCOUNT, CLIENT, COMPLETE, HASH, KEY, faults, tree, written

from service.cli.main import main
from service.config.review import cautions
from service.config.secret_files import SecretFiles
from service.config.settings import _SHAPES, Settings, load
from service.config.yaml_file import Steps

SECRET = "Xk9Vw3Jq8Zp5Xk9Vw3Jq8Zp5Xk9Vw3Jq"
SEALING_KEY = "kPcbpmvMkUD1GDYvLZiBjpnNUiDzQ_I2vFkfpFGQWqU"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WHSK = "whsk_" + "A" * 43 + "="
HOOK = {"url": "https://shop.example/hook", "secret": WHSEC}
TARGET = {"url": "https://other.example/", "token": SECRET, "aes_key": KEY}
SITE = {"kind": "website", "appid": "wx0123456789abcdef", "secret": SECRET}
FULL: dict[str, Any] = {
    "database": {"url": "postgresql://scanbind:pass@db.example/scanbind"},
    "redis": {"url": "redis://:pass@redis.example:6379/0"},
    "secret_key": [SECRET, SECRET[::-1]],
    "encryption": {"keys": [SECRET]},
    "accounts": {"main": {**ACCOUNT, "proxy": "http://user:pass@proxy.example:3128", "forward": [TARGET]}},
    "apps": {"site": SITE},
    "clients": {
        "shop": {
            **CLIENT,
            "secret": [SECRET, SECRET[::-1]],
            "secret_hash": HASH,
            "sealing_key": SEALING_KEY,
            "webhooks": [HOOK, {"url": "https://shop.example/2", "key": WHSK}],
        }
    },
    "operator": {"webhook": HOOK},
}
"""Has each secret setting but the key of the operator's webhook, which stands instead of its secret."""


@pytest.fixture
def name(tmp_path: Path) -> Callable[..., str]:
    def write(content: str | bytes, *, mode: int = 0o600) -> str:
        path = tmp_path / f"secret{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return str(path)

    return write


def places(values: Any, place: Steps) -> list[tuple[dict[str, Any], str]]:
    """Return the sections of *values* that have the setting at *place*, with its key."""
    if len(place) == 1:
        return [(values, place[0])] if place[0] in values else []
    first, *rest = place
    inner = (values if isinstance(values, list) else values.values()) if first == "*" else [values[first]]
    return [found for one in inner for found in places(one, tuple(rest))]


@pytest.mark.parametrize("place", _SHAPES.secrets, ids=".".join)
def test_each_secret_can_be_read_from_a_file(place: Steps, name: Callable[..., str], tmp_path: Path) -> None:
    values = json.loads(json.dumps(FULL))
    if place == ("operator", "webhook", "key"):
        values["operator"] = {"webhook": {"url": HOOK["url"], "key": WHSK}}
    expected = written(values, {}, folder=tmp_path)
    found = places(values, place)
    for section, key in found:
        value = section.pop(key)
        section[f"{key}_file"] = name("\r\n".join([value] if isinstance(value, str) else value) + "\r\n\n")
    assert found
    assert written(values, {}, folder=tmp_path) == expected


@pytest.mark.parametrize("place", _SHAPES.secrets, ids=".".join)
def test_each_file_that_is_missing_is_one_fault_at_its_setting(place: Steps, tmp_path: Path) -> None:
    """Also red when another line says that the secret is missing."""
    values = json.loads(json.dumps(FULL))
    if place == ("operator", "webhook", "key"):
        values["operator"] = {"webhook": {"url": HOOK["url"], "key": WHSK}}
    [(section, key), *_] = places(values, place)
    del section[key]
    section[f"{key}_file"] = str(tmp_path / "none")
    [line] = faults(values, folder=tmp_path)
    path, _, fault = line.partition(": ")
    assert path.split(".")[-1] == f"{key}_file"
    assert fault == "cannot be read: No such file or directory"


def test_the_secrets_are_those_that_are_not_shown() -> None:
    """A setting whose text `repr` leaves out can stand in a file; a picture is a file already."""
    settings = Settings.model_validate(FULL)
    shown = repr(settings)
    assert not any(secret in shown for secret in (SECRET, KEY, SEALING_KEY, WHSEC, WHSK, "pass@", HASH))
    assert ("accounts", "*", "picture") not in _SHAPES.secrets
    assert ("accounts", "*", "secret") in _SHAPES.secrets


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "names a file that is empty"),
        (b"\r\n\n", "names a file that is empty"),
        (b"\xff\xfe" + SECRET.encode(), "names a file that is not UTF-8"),
        (b"Xk9V" * (1 << 14) + b"\n", "names a file that is larger than 64 KiB"),
        (f"{SECRET}\n{SECRET[::-1]}\n".encode(), "names a file of several lines: the setting has one value"),
        (f"{SECRET} \n".encode(), "ends in a space: remove it"),
    ],
    ids=["empty", "line ends alone", "UTF-16", "too large", "two lines", "a space at the end"],
)
def test_a_faulty_file_is_one_line_that_quotes_nothing_of_it(
    content: bytes, fault: str, name: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    account = {key: value for key, value in ACCOUNT.items() if key != "secret"}
    account["secret_file"] = name(content)
    file.write_text(yaml.safe_dump(tree(accounts__main=account)), "utf-8")
    for command in ("check-config", "serve"):
        assert main([command, "--config", str(file)]) == 2
        printed = capsys.readouterr()
        assert (printed.out, printed.err) == ("", f"accounts.main.secret_file: {fault}\n")
    variable = "SCANBIND_ACCOUNTS__MAIN__SECRET_FILE"
    assert faults(tree(), {variable: account["secret_file"]}, folder=tmp_path) == [
        f"accounts.main.secret_file: {fault} ({variable})"
    ]


def test_a_check_of_the_content_names_the_setting_of_the_file(name: Callable[..., str], tmp_path: Path) -> None:
    values = tree(secret_key_file=name("short"), clients__shop__secret_hash_file=name(f"{HASH}\n{HASH}"))
    assert sorted(faults(values, folder=tmp_path)) == [
        "clients.shop.secret_hash_file: must not contain duplicates",
        "secret_key_file: must be 32 characters or more",
    ]


def test_what_is_not_a_file_is_refused_unread(tmp_path: Path) -> None:
    """A pipe that nothing writes to would never end."""
    os.mkfifo(tmp_path / "pipe")
    for given, fault in (
        (str(tmp_path / "pipe"), "names what is not a file"),
        ("/dev/zero", "names what is not a file"),
        (str(tmp_path), "names a folder"),
        (["/a"], "must be the path of a file"),
        (7, "must be the path of a file"),
        ("a\0b", "must be the path of a file"),
        ("a" * 5000, "cannot be read: File name too long"),
    ):
        found = faults(tree(secret_key_file=given), folder=tmp_path)
        assert found == [f"secret_key_file: {fault}"]


def test_a_file_that_becomes_a_pipe_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(SECRET)
    os.mkfifo(tmp_path / "pipe")
    link, next_link, ended = tmp_path / "link", tmp_path / "next", threading.Event()
    link.symlink_to("file")
    values: Any = {"secret_key_file": str(link)}

    def read_often() -> None:
        for _ in range(40_000):
            SecretFiles(secrets={("secret_key",): True}, environ={}).read(values)
        ended.set()

    threading.Thread(target=read_often, daemon=True).start()
    deadline = time.monotonic() + 60
    while not ended.is_set() and time.monotonic() < deadline:
        for name in ("pipe", "file"):
            next_link.symlink_to(name)
            next_link.replace(link)
    assert ended.is_set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(name: Callable[..., str], tmp_path: Path) -> None:
    found = faults(tree(secret_key_file=name(SECRET, mode=0)), folder=tmp_path)
    assert found == ["secret_key_file: cannot be read: Permission denied"]


def test_both_forms_in_one_source_are_a_fault(name: Callable[..., str], tmp_path: Path) -> None:
    both = {"secret_key": SECRET, "secret_key_file": name(SECRET)}
    assert faults(tree(**both), folder=tmp_path) == ["secret_key_file: must not be set beside secret_key"]
    variables = {f"SCANBIND_{key.upper()}": value for key, value in both.items()}
    assert faults(tree(), variables, folder=tmp_path) == [
        "secret_key_file: must not be set beside secret_key (SCANBIND_SECRET_KEY_FILE)"
    ]
    shop = {**CLIENT, "secret_file": name(SECRET)}
    assert faults({}, COMPLETE | {"SCANBIND_CLIENTS": json.dumps({"shop": shop})}, folder=tmp_path) == [
        "clients.shop.secret_file: must not be set beside secret (SCANBIND_CLIENTS)"
    ]


def test_an_empty_form_does_not_count(name: Callable[..., str], tmp_path: Path) -> None:
    for values in (
        tree(secret_key="", secret_key_file=name(SECRET)),
        tree(secret_key=None, secret_key_file=name(SECRET)),
        tree(secret_key=SECRET, secret_key_file=""),
        tree(secret_key=SECRET, secret_key_file=None),
    ):
        [key] = written(values, {}, folder=tmp_path).secret_key
        assert key.get_secret_value() == SECRET
    assert written(tree(secret_key_file=""), {}, folder=tmp_path).secret_key == ()


def test_a_variable_of_either_form_wins_over_both_forms_in_the_file(
    name: Callable[..., str], tmp_path: Path
) -> None:
    in_file, by_file = name("f" * 40), name("v" * 40)
    for values in (tree(secret_key="f" * 40), tree(secret_key_file=in_file), tree(secret_key_file="/none")):
        for environ in ({"SCANBIND_SECRET_KEY": "v" * 40}, {"SCANBIND_SECRET_KEY_FILE": by_file}):
            [key] = written(values, environ, folder=tmp_path).secret_key
            assert key.get_secret_value() == "v" * 40
        for empty in ({"SCANBIND_SECRET_KEY": ""}, {"SCANBIND_SECRET_KEY_FILE": ""}):
            assert written(values, empty, folder=tmp_path).secret_key == ()
    shop = json.dumps({"shop": {**CLIENT, "secret": None, "secret_file": in_file}})
    [secret] = (
        load(None, COMPLETE | {"SCANBIND_CLIENTS": shop, "SCANBIND_CLIENTS__SHOP__SECRET": "v" * 40})
        .clients["shop"]
        .secret
    )
    assert secret.get_secret_value() == "v" * 40


def test_the_documentation_lists_each_of_them() -> None:
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text("utf-8")
    table = text.partition("\n### Secrets in files")[2].partition("\n## ")[0]
    places = {"account": "accounts.*.", "app": "apps.*.", "site": "clients.*."}
    listed = set()
    for row in re.findall(r"^\| of .*", table, re.MULTILINE):
        above = places.get(row.split()[3], "")
        for part in row.split(";"):
            inner = re.match(r" in `(\w+)`", part)
            listed |= {
                f"{above}{inner[1]}.*.{key}" if inner else f"{above}{key}"
                for key in re.findall(r"`([\w.]+)_file`", part)
            }
    assert listed == set(map(".".join, _SHAPES.secrets))


def test_other_settings_have_no_file_form(tmp_path: Path) -> None:
    found = faults(tree(server__port_file="/x"), {"SCANBIND_TICKETS_FILE": "/y"}, folder=tmp_path)
    assert found == ["server.port_file: unknown key", "tickets_file: unknown key (SCANBIND_TICKETS_FILE)"]


def test_a_file_that_all_users_may_read_is_a_caution(
    name: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = name(SECRET, mode=0o644)
    for mode, told in ((0o600, []), (0o640, []), (0o644, ["secret_key_file"]), (0o602, ["secret_key_file"])):
        Path(path).chmod(mode)
        settings = written(tree(secret_key_file=path), {}, folder=tmp_path)
        assert [caution.path for caution in cautions(settings)] == told
    credentials = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert list(cautions(written(tree(secret_key_file=path), credentials, folder=tmp_path))) == []
    monkeypatch.setattr("service.config.secret_files._MOUNT", str(tmp_path))
    assert list(cautions(written(tree(secret_key_file=path), {}, folder=tmp_path))) == []


def test_a_relative_name_is_relative_to_the_working_directory(
    name: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    path = Path(name("\ufeff" + SECRET))
    settings = written(tree(secret_key_file=path.name), {}, folder=tmp_path / "elsewhere")
    assert [key.get_secret_value() for key in settings.secret_key] == [SECRET]
