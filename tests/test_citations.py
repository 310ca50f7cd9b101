"""Every cited section of the contract and of the protocol page exists."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = ("contract.md", "wechat-protocol.md")
READ: Final = {".py", ".js", ".lua", ".md", ".html", ".css", ".yaml", ".toml", ".sh", ".mako"}
ROOMS: Final = [
    "models",
    "service",
    "handlers",
    "sandbox",
    "demo",
    "bench",
    "fuzz",
    "tools",
    "migrations",
    "web",
    "tests",
    "docs",
]
SECTION: Final = r"\d+(?:\.\d+)*"
CITATION: Final = re.compile(rf"(contract\.md|wechat-protocol\.md)\)?((?:,? (?:and |to )?{SECTION}\b)*)")
HEADING: Final = re.compile(rf"^#{{2,4}} ({SECTION})[. ]", re.MULTILINE)


def files() -> list[Path]:
    inside = [path for room in ROOMS for path in (ROOT / room).rglob("*")]
    return [path for path in [*inside, *ROOT.glob("*.*")] if path.is_file() and path.suffix in READ]


def citations() -> list[tuple[str, str, str]]:
    """Return file, page and section, a row each."""
    return [
        (str(path.relative_to(ROOT)), page, section)
        for path in files()
        for page, sections in CITATION.findall(re.sub(r"\s*\n\s*(?:# |// |\* )?", " ", path.read_text()))
        for section in re.findall(SECTION, sections)
    ]


def sections(page: str) -> set[str]:
    return set(HEADING.findall((ROOT / "docs" / page).read_text()))


@pytest.mark.parametrize("page", PAGES)
def test_every_cited_section_exists(page: str) -> None:
    there = sections(page)
    missing = {
        f"{file}: {page} {section}"
        for file, cited, section in citations()
        if cited == page and section not in there
    }
    assert not missing


def test_both_pages_are_cited() -> None:
    assert {page for _, page, _ in citations()} == set(PAGES)
