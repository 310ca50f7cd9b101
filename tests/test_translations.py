"""Each Chinese page matches its English original: headings, code, tables, links, images and names."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
CHINESE: Final = [
    path
    for found in (ROOT.glob("*.zh.md"), *((ROOT / folder).rglob("*.zh.md") for folder in ("docs", "examples")))
    for path in sorted(found)
]
FENCED: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^(#+) (\d+\.)?", re.MULTILINE)
TABLE: Final = re.compile(r"(?:^ *\|.*\n)+", re.MULTILINE)
WORDS: Final = {
    "sh": re.compile(r"(?:^|\s+)#.*"),
    "yaml": re.compile(r"(?:^|\s+)#.*"),
    "python": re.compile(r"(?:^|\s+)# .*"),
    "js": re.compile(r"(?:^|\s+)// .*"),
    "mermaid": re.compile(r"( as |: ).*"),
}
"""What may be translated in a block of code: comments, and the words of a diagram."""
SHOWN: Final = {
    'lang="zh"><title>我的网站': 'lang="en"><title>My site',
    "<h1>登录</h1>": "<h1>Log in</h1>",
    "<h1>你好，": "<h1>Hello, ",
    "<h1>绑定微信</h1>": "<h1>Connect WeChat</h1>",
    ">微信设置<": ">WeChat settings<",
    'text="请重新扫码。"': 'text="Please scan again."',
    'text="请先登录。"': 'text="Please log in."',
    "  微信登录需要较新的浏览器。<": "  WeChat login needs a newer browser. <",
    ">使用密码登录<": ">Log in with a password<",
    '"登录"': '"Log in"',
    '"你好，{': '"Hello, {',
    "`你好，$": "`Hello, $",
    '"你已拒绝授权。"': '"You refused."',
    '"请稍后再试。"': '"Please try again later."',
    '"请重新开始。"': '"Please start again."',
    '"这个微信已绑定其他用户。"': '"This WeChat belongs to another user."',
    '"你已绑定另一个微信。"': '"You have another WeChat."',
}
"""What the sites of the Chinese guides show, and its original."""

each_page = pytest.mark.parametrize("chinese", CHINESE, ids=lambda page: str(page.relative_to(ROOT)))


def _english(chinese: Path) -> Path:
    return chinese.with_name(chinese.name.replace(".zh.md", ".md"))


def _prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def _headings(page: Path) -> list[tuple[int, str]]:
    """Return the level and the number, if any, of each heading."""
    return [(len(marks), number) for marks, number in HEADING.findall(_prose(page))]


def _code(page: Path) -> list[tuple[str, list[str]]]:
    """Return the language and the lines of each block, without what may be translated or is in SHOWN."""
    written = page.read_text(encoding="utf-8")
    for chinese, english in SHOWN.items():
        written = written.replace(chinese, english)
    return [
        (language, [WORDS[language].sub("", line) if language in WORDS else line for line in text.splitlines()])
        for language, text in FENCED.findall(written)
    ]


def _tables(page: Path) -> list[list[tuple[int, list[str]]]]:
    """Return for each row of each table the number of its cells and the names in the first one."""
    return [
        [(row.count("|") - 1, re.findall(r"`([^`]+)`", row.split("|")[1])) for row in table.splitlines()]
        for table in TABLE.findall(_prose(page))
    ]


def _targets(page: Path, mark: str) -> list[list[str]]:
    """Return what each section links to: *mark* is "!" for images. A Chinese page counts as its original."""
    sections = re.split(r"^#+ ", _prose(page), flags=re.MULTILINE)
    return [
        sorted(target.replace(".zh.md", ".md") for kind, target in LINK.findall(section) if kind == mark)
        for section in sections
    ]


def _names(page: Path) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", _prose(page)))


def test_the_pages_for_developers_are_there_in_chinese() -> None:
    assert [page.name for page in CHINESE] == [
        "README.zh.md",
        "access-token.zh.md",
        "backup.zh.md",
        "doctor.zh.md",
        "forwarding.zh.md",
        "install.zh.md",
        "integration.zh.md",
        "methods.zh.md",
        "monitoring.zh.md",
        "notices.zh.md",
        "redirects.zh.md",
        "reload.zh.md",
        "sealed-calls.zh.md",
        "set-up.zh.md",
        "README.zh.md",
        "mini-program.zh.md",
        "personal-account.zh.md",
        "service-account.zh.md",
        "test-account.zh.md",
        "website-application.zh.md",
        "wecom.zh.md",
        "upgrade.zh.md",
        "webhooks.zh.md",
        "README.zh.md",
        "README.zh.md",
        "README.zh.md",
    ]


@each_page
def test_headings_are_the_same(chinese: Path) -> None:
    assert _headings(chinese) == _headings(_english(chinese)) != []


@each_page
def test_code_is_the_same_but_for_comments(chinese: Path) -> None:
    assert _code(chinese) == _code(_english(chinese)) != []


def test_the_sites_of_the_chinese_guides_are_chinese() -> None:
    guides = ("integration.zh.md", "redirects.zh.md")
    written = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in guides)
    assert [text for text in SHOWN if text not in written] == []
    assert [text for text in SHOWN.values() if text in written] == []


@each_page
def test_tables_have_the_same_rows(chinese: Path) -> None:
    assert _tables(chinese) == _tables(_english(chinese)) != []


@each_page
def test_each_section_links_to_the_same_pages(chinese: Path) -> None:
    assert _targets(chinese, "") == _targets(_english(chinese), "")


@each_page
def test_each_section_shows_the_same_images(chinese: Path) -> None:
    assert _targets(chinese, "!") == _targets(_english(chinese), "!")


@each_page
def test_the_same_names_are_quoted(chinese: Path) -> None:
    assert _names(chinese) == _names(_english(chinese)) != set()
