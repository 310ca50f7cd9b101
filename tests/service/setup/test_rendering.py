"""What `scanbind init` writes is a good configuration for all answers that it accepts.

Red when text is not quoted, when a secret stands in the configuration, and when a setting that is written has no
comment in one of the languages.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models.language import Lang
from service.config.review import check_complete
from service.config.settings import load
from service.setup.comments import COMMENTS
from service.setup.drafting import draft
from service.setup.kinds import KINDS
from service.setup.questions import Answer, asked
from service.setup.rendering import files, rendered
from service.setup.writing import write_new

SECRET = "Xk9Vw3Jq8Zp5"
ODD = ["示例商城", '😀 #1: "it\'s"', "yes", "null", "a: b", "- x", "{a}", "0123", "x\u2028 y", "x\ufffey", "\\n"]
_NAMES = st.sampled_from(ODD) | st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=64
)
_URLS = st.sampled_from(["https://login.example", "https://[2001:db8::1]:8443", "https://xn--fiq228c.example/a_b"])
_SECRETS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40) | st.sampled_from(
    ["a: b #c", "\"'\\", "密码", SECRET]
)
ANSWERS: dict[str, st.SearchStrategy[Any]] = {
    "public_url": _URLS,
    "appid": st.from_regex(r"wx[A-Za-z0-9]{16}", fullmatch=True),
    "corpid": st.from_regex(r"ww[A-Za-z0-9]{16}", fullmatch=True),
    "agentid": st.integers(1, 10**9).map(str),
    "page": st.just("pages/scan/index"),
    "secret": _SECRETS,
    "account_name": _NAMES | st.just(""),
    "client": st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)
    | st.sampled_from(["null", "true", "0123", "1e5", "_"]),
    "client_name": _NAMES,
    "origins": st.lists(_URLS.map(lambda url: url.removesuffix("/a_b")), max_size=2),
    "return_urls": st.lists(_URLS.map(lambda url: f"{url}/done?a='b'&c=,%23"), min_size=1, max_size=2),
    "database_url": st.sampled_from(["embedded", "postgresql://u:p%23%20@db.example/x", "sqlite:///a b.sqlite"]),
    "redis_url": st.sampled_from(["embedded", "rediss://:p%40@redis.example:6379/0"]),
}


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_what_is_written_passes_check_config(
    kind: str, lang: Lang, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    answers = {
        "kind": kind,
        **{one.name: one.checked(data.draw(ANSWERS[one.name], one.name)) for one in asked(kind)},
    }
    output = tmp_path_factory.mktemp("init") / "a folder: #1" / "config.yaml"
    made = draft(answers)
    write_new(files(made, output, lang))
    loaded = load(output, {})
    check_complete(loaded)
    assert loaded.exposed_files == ()
    part = KINDS[kind].part
    account = getattr(loaded, part)[KINDS[kind].name]
    assert loaded.clients[str(answers["client"])].name[Lang.EN] == answers["client_name"]
    if "secret" in answers:
        assert account.secret.get_secret_value() == answers["secret"]
    if answers.get("account_name"):
        assert account.name[Lang.ZH] == answers["account_name"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_read_as_it_was_given(name: str) -> None:
    """Red when characters are not escaped that YAML folds, as U+2028 and spaces, or refuses, as U+FFFE."""
    text = rendered(draft(simple("test") | {"client_name": name}), Path("config.yaml"), Lang.EN)
    assert yaml.safe_load(text)["clients"]["shop"]["name"] == name


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_stands_in_the_configuration(kind: str) -> None:
    made = draft(simple(kind) | {"database_url": "postgresql://u:Xk9Vw3Jq8Zp5@db.example/x"})
    written = files(made, Path("config.yaml"), Lang.EN)
    text = written.pop(Path("config.yaml"))
    secrets = [content.strip() for content in written.values()]
    assert not any(secret in text for secret in [*secrets, SECRET, made.client_secret])
    assert made.client_secret not in secrets


def simple(kind: str) -> dict[str, Answer]:
    known: dict[str, str] = {
        "public_url": "https://login.example",
        "appid": "wx0123456789abcdef",
        "corpid": "ww0123456789abcdef",
        "agentid": "1000002",
        "secret": SECRET,
        "account_name": "Example",
        "client_name": "Shop",
        "origins": "https://shop.example",
        "return_urls": "https://shop.example/done",
    }
    return {"kind": kind, **{one.name: one.checked(known.get(one.name, one.default or "")) for one in asked(kind)}}


@pytest.mark.parametrize("lang", Lang)
def test_each_comment_belongs_to_a_setting_that_is_written(lang: Lang) -> None:
    texts = [
        rendered(draft(simple(kind) | {"redis_url": "redis://redis.example:6379"}), Path("config.yaml"), lang)
        for kind in KINDS
    ]
    used = {place for place, words in COMMENTS.items() if any(f"# {words[lang]}\n" in text for text in texts)}
    assert used == set(COMMENTS)


def test_text_is_quoted_and_readable() -> None:
    text = rendered(draft(simple("personal") | {"client_name": "示例 😀: #1"}), Path("config.yaml"), Lang.ZH)
    assert 'name: "示例 😀: #1"' in text
    assert yaml.safe_load(text)["accounts"]["personal"]["api"] is False
    assert all(len(line) <= 115 for line in text.splitlines())
