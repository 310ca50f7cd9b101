"""The targets of an account's pushes, its welcome, and what else a chat is told."""

from pathlib import Path
from typing import Any

import pytest
from config_files import ACCOUNT, KEY, faults, tree

from models.language import Lang
from service.config.review import cautions
from service.config.settings import validate

TARGET = {"url": "http://127.0.0.1:8888/bot", "token": "t", "aes_key": KEY}
PLACE = "accounts.main.forward"
FORM = (
    "must be an address such as http://127.0.0.1:8888/wechat, without user, password and fragment, "
    "of 2000 characters at most"
)
TAKEN = "must not contain nonce and openid in its query, where the signature is added"
OWN = "is the service's own callback: set the address of the other system"
NAMES = "must be names such as text or subscribe, 1 to 64 of A-Z a-z and _ each"
PARAGRAPH = "must be 1 to 600 characters, line breaks among them, without other control characters"


def account(*targets: Any, **beside: Any) -> dict[str, Any]:
    return tree(accounts__main={**ACCOUNT, "forward": list(targets), **beside})


def test_what_is_not_set_has_its_default() -> None:
    settings = validate(account(TARGET)).accounts["main"]
    (target,) = settings.forward
    assert (target.mode, target.format, target.events, target.copies) == ("safe", "xml", (), False)
    assert (target.reply, target.timeout) == ("first", 3)
    assert (settings.welcome, settings.otherwise) == ({}, "silence")
    assert validate(tree()).accounts["main"].forward == ()


def test_a_variable_is_json() -> None:
    given = '[{"url": "http://h/x?a=1", "token": "t", "mode": "plain", "copy": true}]'
    (target,) = validate(tree(), {"SCANBIND_ACCOUNTS__MAIN__FORWARD": given}).accounts["main"].forward
    assert (target.url, target.copies) == ("http://h/x?a=1", True)
    assert validate(tree(), {"SCANBIND_ACCOUNTS__MAIN__FORWARD": ""}).accounts["main"].forward == ()


def test_one_welcome_is_for_both_languages_and_may_have_lines() -> None:
    assert validate(account(welcome="Hi\nyou")).accounts["main"].welcome == dict.fromkeys(Lang, "Hi\nyou")
    both = validate(account(welcome={"en": "Hi"}), {"SCANBIND_ACCOUNTS__MAIN__WELCOME__ZH": "你好"})
    assert both.accounts["main"].welcome == {Lang.EN: "Hi", Lang.ZH: "你好"}
    assert validate(account(welcome="")).accounts["main"].welcome == {}


@pytest.mark.parametrize(
    ("targets", "lines"),
    [
        ([TARGET | {"aes_key": None}], [f"{PLACE}.0.aes_key: is missing: mode safe needs it"]),
        ([TARGET | {"aes_key": "short"}], [f"{PLACE}.0.aes_key: must be 43 characters of A-Z a-z 0-9"]),
        ([TARGET | {"token": None}], [f"{PLACE}.0.token: is missing"]),
        ([TARGET | {"timeout": 0}], [f"{PLACE}.0.timeout: must be from 1 to 4"]),
        ([TARGET | {"timeout": 5}], [f"{PLACE}.0.timeout: must be from 1 to 4"]),
        ([TARGET | {"url": "ftp://h/"}], [f"{PLACE}.0.url: {FORM}"]),
        ([TARGET | {"url": "http://user:pw@h/"}], [f"{PLACE}.0.url: {FORM}"]),
        ([TARGET | {"url": "http://h/#a"}], [f"{PLACE}.0.url: {FORM}"]),
        ([TARGET | {"url": "http://h/?nonce=1&openid=2"}], [f"{PLACE}.0.url: {TAKEN}"]),
        ([TARGET | {"url": "http://127.0.0.1:8080/wechat/main"}], [f"{PLACE}.0.url: {OWN}"]),
        ([TARGET | {"url": "http://localhost:8080/wechat/other/"}], [f"{PLACE}.0.url: {OWN}"]),
        ([TARGET, TARGET], [f"{PLACE}.1.url: is the url of forward.0 as well"]),
        ([TARGET | {"url": f"http://h/{n}"} for n in range(9)], [f"{PLACE}: must not be more than 8"]),
        ([TARGET | {"events": ["text", "a b"]}], [f"{PLACE}.0.events.1: {NAMES}"]),
        ([TARGET | {"events": ["a" * 65]}], [f"{PLACE}.0.events.0: {NAMES}"]),
        ([TARGET | {"mode": "compatible"}], [f"{PLACE}.0.mode: must be safe or plain"]),
        ([TARGET | {"reply": "last"}], [f"{PLACE}.0.reply: must be first or ignore"]),
        ([TARGET | {"copies": True}], [f"{PLACE}.0.copies: unknown key"]),
        ([TARGET | {"copy": "perhaps"}], [f"{PLACE}.0.copy: must be true or false"]),
        (["http://h/"], [f"{PLACE}.0: must be a mapping"]),
    ],
    ids=str,
)  # fmt: skip
def test_bad_values_are_named_by_their_path(targets: list[Any], lines: list[str], tmp_path: Path) -> None:
    assert faults(account(*targets), folder=tmp_path) == lines


def test_the_public_callback_is_no_target_with_its_path(tmp_path: Path) -> None:
    """Red when only the origin or only the port is compared."""
    values = account(TARGET | {"url": "https://login.example/sub/wechat/main"})
    values["server"] = {"public_url": "https://login.example/sub"}
    assert faults(values, folder=tmp_path) == [f"{PLACE}.0.url: {OWN}"]
    values["accounts"]["main"]["forward"][0]["url"] = "https://login.example/wechat/main"
    assert validate(values).accounts["main"].forward


@pytest.mark.parametrize(
    ("welcome", "line"),
    [
        ("x" * 601, f"accounts.main.welcome.zh: {PARAGRAPH}"),
        (" \n", f"accounts.main.welcome.zh: {PARAGRAPH}"),
        ({"zh": "a\tb"}, f"accounts.main.welcome.zh: {PARAGRAPH}"),
        ({"fr": "Salut"}, "accounts.main.welcome.fr: unknown key"),
    ],
    ids=["long", "blank", "control", "language"],
)
def test_a_welcome_that_the_chat_cannot_show_is_refused(welcome: Any, line: str, tmp_path: Path) -> None:
    assert line in faults(account(welcome=welcome), folder=tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mode": "plain", "url": "http://bot.example/"}, True),
        ({"mode": "plain", "url": "https://bot.example/"}, False),
        ({"mode": "plain", "url": "http://10.0.0.7/"}, False),
        ({"mode": "safe", "url": "http://bot.example/"}, False),
    ],
    ids=["plain", "https", "local", "safe"],
)
def test_a_chat_that_crosses_the_internet_unencrypted_is_a_caution(changes: dict[str, str], *, told: bool) -> None:
    found = [one.path for one in cautions(validate(account(TARGET | changes)))]
    assert found == [f"{PLACE}.0.mode"] * told
