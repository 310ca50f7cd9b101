"""ETags that come back as proxies have changed them. Red when a mark is kept, or when half a tag is enough."""

import string

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from handlers.http.entity_tags import known_tags

TAG, OTHER = "437e072ad61f31eacc", "437e072ad61f31eacd"
MARKS = [
    "-gzip", "--gzip", ";gzip", ":gzip", ".gzip", "_gzip", "+gzip", "/gzip", "-gunzip", "-deflate", "-df", "-br",
    ";br", ":br", "-zstd", "-dcz", "-x-gzip", ";gz", ";;;", ":0", "-gzip-br", "-gzip-gzip", " gzip", "-",
    "-gzip, br",
]  # fmt: skip
OPAQUE = "".join(c for c in string.printable if c.isprintable() and c != '"')

tags = st.text(string.hexdigits.lower()[:16], min_size=16, max_size=18)
marks = st.from_regex(rf"[^0-9A-Za-z\"{string.whitespace}][^\"]*", fullmatch=True, alphabet=OPAQUE) | st.just("")


def known(*lines: str, current: str | None = TAG) -> frozenset[str]:
    headers = CIMultiDict([("If-None-Match", line) for line in lines])
    return known_tags(make_mocked_request("GET", "/", headers=headers), current=current)


@pytest.mark.parametrize("weak", ["", "W/", "w/"])
@pytest.mark.parametrize("mark", ["", *MARKS])
def test_a_proxys_mark_is_left_out(mark: str, weak: str) -> None:
    assert known(f'{weak}"{TAG}{mark}"') == {TAG}


@pytest.mark.parametrize(
    "lines",
    [(f'"{OTHER}", "{TAG}"',), (f'W/"{OTHER}-gzip",W/"{TAG}-gzip"',), (f'"{TAG};a,b" , "{OTHER}"',),
     (f'"{OTHER}"', f'"{TAG}"'), (f'"{TAG}"-gzip, "{OTHER}"',)],
)  # fmt: skip
def test_every_tag_of_a_list_counts(lines: tuple[str, ...]) -> None:
    assert known(*lines) == {TAG, OTHER}


def test_an_asterisk_stands_for_the_current_tag() -> None:
    assert known("*") == known(" * ") == {TAG}
    assert known("*", current=None) == known() == frozenset()
    assert TAG not in known('"*"') | known('*, "x"') | known("**") | known("W/*")


@pytest.mark.parametrize(
    "line",
    ["", '""', TAG, f'"{TAG}', f'{TAG}"', f"'{TAG}'", f'"{TAG[:-1]}"', f'"{TAG}0"', f'"0{TAG}"',
     f'"{TAG.upper()}"', f'"x-{TAG}"', f'" {TAG}"', f'"x"{TAG}"', f'"{TAG[:9]}-{TAG[9:]}"', f'"{OTHER}-{TAG}"'],
)  # fmt: skip
def test_what_is_not_the_whole_tag_in_quotes_is_not_the_tag(line: str) -> None:
    assert TAG not in known(line)


@given(tag=tags, mark=marks, others=st.lists(tags))
def test_a_tag_matches_itself_with_any_mark_and_no_other(tag: str, mark: str, others: list[str]) -> None:
    found = known(", ".join(f'"{one}"' for one in [*others, tag + mark]))
    assert found == {tag, *others}


@given(st.text(OPAQUE + '"', max_size=300))
def test_any_text_is_read(line: str) -> None:
    assert all(f'"{tag}' in line for tag in known(line) if line.strip() != "*")


def test_an_open_quote_costs_no_time() -> None:
    """Red when `_TAG` may go back: 8,000 letters would take a second."""
    assert known('"' + "a" * 500_000) == frozenset()
