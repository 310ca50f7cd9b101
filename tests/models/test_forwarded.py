"""Hops of X-Forwarded-For and Forwarded.

Red when a list is split from the left, or when a port, a bracket or a quote stays.
"""

from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.forwarded import Hop, forwarded, x_forwarded_for

HERE = "203.0.113.7"
READERS: list[Callable[[str], Iterator[Hop]]] = [x_forwarded_for, forwarded]

addresses = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).filter(lambda ip: not ip.ipv4_mapped).map(str)
ports = st.sampled_from(["", ":0", ":80", ":65535", ":_p.1-x"])
blanks = st.text(" \t", max_size=2)
junk = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)


def told(hops: Iterator[Hop]) -> list[str]:
    return [str(hop.address) for hop in hops]


@pytest.mark.parametrize(
    ("line", "hops"),
    [
        ("203.0.113.7", [HERE]),
        ("203.0.113.7:50007", [HERE]),
        ('"203.0.113.7:50007"', [HERE]),
        ("[2001:db8::7]:443, 203.0.113.7:1", [HERE, "2001:db8::7"]),
        ("2001:db8::7 ,\t203.0.113.7\t", [HERE, "2001:db8::7"]),
        (", 203.0.113.7,, ,10.0.0.1,", ["10.0.0.1", HERE]),
        ("10.0.0.1, unknown", ["None", "10.0.0.1"]),
        ('"10.0.0.1, 203.0.113.7', [HERE, "None"]),
        ("for=203.0.113.7", ["None"]),
        ("", []),
        (" , ", []),
    ],
)
def test_x_forwarded_for_is_read_from_the_right(line: str, hops: list[str]) -> None:
    assert told(x_forwarded_for(line)) == hops


@pytest.mark.parametrize(
    ("line", "hops"),
    [
        ("for=203.0.113.7", [HERE]),
        ('For="203.0.113.7:4711"', [HERE]),
        ("FOR=203.0.113.7:4711", [HERE]),
        ('for="[2001:db8::7]:4711"', ["2001:db8::7"]),
        ("for=[2001:db8::7]", ["2001:db8::7"]),
        ("for=2001:db8::7;proto=http", ["2001:db8::7"]),
        ('for="[::ffff:203.0.113.7]:_port"', [HERE]),
        (r'for="203\.0\.113\.7"', [HERE]),
        ("by=10.0.0.1;proto=https;for=203.0.113.7;host=login.example", [HERE]),
        (" ; for = 203.0.113.7 ; ; by=_x ;", [HERE]),
        ("for=10.0.0.1,for=203.0.113.7", [HERE, "10.0.0.1"]),
        (", for=10.0.0.1,\t,for=203.0.113.7 ,", [HERE, "10.0.0.1"]),
        ('for=203.0.113.7;host="a, for=6.6.6.6"', [HERE]),
        (r'for=203.0.113.7;host="a\", for=6.6.6.6;x=\""', [HERE]),
        (r'for=203.0.113.7;host="a\\", for=10.0.0.1', ["10.0.0.1", HERE]),
        ('for=10.0.0.1;by=", for="203.0.113.7"', [HERE, "None"]),
        (r'for=10.0.0.1;by="\", for="203.0.113.7"', [HERE, "None"]),
        ("for=10.0.0.1, for=unknown", ["None", "10.0.0.1"]),
        ("for=_hidden", ["None"]),
        ("proto=https", ["None"]),
        ("203.0.113.7", ["None"]),
        ("for=203.0.113.7;for=10.0.0.1", ["None"]),
        ('for=203.0.113.7"', ["None"]),
        ("for=203.0.113.7 by=10.0.0.1", ["None"]),
        ("for==203.0.113.7", ["None"]),
        ("", []),
    ],
)
def test_forwarded_is_read_from_the_right(line: str, hops: list[str]) -> None:
    assert told(forwarded(line)) == hops


def test_the_scheme_is_read_even_for_a_hidden_address() -> None:
    [hop] = forwarded('for="_hidden"; PROTO="HTTPS"')
    assert hop == Hop(None, "https", 'a="_a"; a="a"')


def test_the_form_of_an_element_is_short_and_repeats_no_word_of_it() -> None:
    for reader in READERS:
        forms = [hop.form for hop in reader("secret-77, caf\xe9\x07, 203.0.113.7:https, " + "1x" * 5000)]
        assert forms == ["9a" * 20, "9.9.9.9:a", "a??", "a-9"]


def bracketed(address: str) -> str:
    return f"[{address}]" if ip_address(address).version == 6 else address


@given(client=junk, chain=st.lists(st.tuples(addresses, ports, blanks), min_size=1, max_size=4), data=st.data())
def test_what_proxies_appended_is_read_whatever_the_client_sent(
    client: str, chain: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    plain, standard = client, client
    for address, port, blank in chain:
        node = bracketed(address) + port
        quoted = data.draw(st.sampled_from([node, f'"{node}"']))
        plain += f",{blank}{quoted}{blank}"
        more = data.draw(st.sampled_from(["", ";proto=https", ';host="a, b"', r';by="\",for=6.6.6.6"']))
        standard += f",{blank}for={quoted}{more}"
    expected = [str(ip_address(address)) for address, _, _ in reversed(chain)]
    assert told(x_forwarded_for(plain))[: len(chain)] == expected
    assert told(forwarded(standard))[: len(chain)] == expected


@given(junk)
def test_any_text_is_read(line: str) -> None:
    for reader in READERS:
        assert len(list(reader(line))) <= line.count(",") + 1


@pytest.mark.parametrize(
    "text", ['"' * 50_000, '",' * 25_000, "\\" * 50_000 + '"', 'for="' + "\\" * 50_000, "; " * 25_000]
)
def test_a_long_line_is_read_in_time_linear_in_its_length(text: str) -> None:
    """Red when a quote is looked at again from the start: that takes minutes."""
    for reader in READERS:
        list(reader(text))
