"""IP addresses: one form for each address, and the networks that a limit counts as one subscriber."""

from ipaddress import ip_address

import pytest

from models.ip_address import parsed_address, parsed_node, shares


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%<script>", "fe80::1"),
    ],
)
def test_each_way_of_writing_an_address_is_the_same_address(text: str, address: str) -> None:
    """Red when a zone is kept: it may contain almost any text."""
    assert parsed_address(text) == ip_address(address)


@pytest.mark.parametrize("text", ["", "unknown", "203.0.113", "203.0.113.07", "203.0.113.7:80", "[::1]", "x%y"])
def test_other_texts_are_no_address(text: str) -> None:
    assert parsed_address(text) is None


@pytest.mark.parametrize("port", ["", ":0", ":443", ":65535", ":_hidden"])
@pytest.mark.parametrize(
    ("node", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8::A]", "2001:db8::a"),
        ("[::ffff:203.0.113.7]", "203.0.113.7"),
        ("[fe80::1%25eth0]", "fe80::1"),
        (" [::1]", "::1"),
    ],
)
def test_an_address_is_read_with_or_without_a_port(node: str, port: str, address: str) -> None:
    assert parsed_node(node + port) == ip_address(address)


@pytest.mark.parametrize("text", ["2001:db8::1", "::ffff:203.0.113.7", "::1:443", "fe80::1%eth0"])
def test_an_ipv6_address_without_brackets_has_no_port(text: str) -> None:
    assert parsed_node(text) == parsed_address(text) is not None


@pytest.mark.parametrize(
    "text",
    ["", "unknown", "_hidden", "203.0.113.7:", "203.0.113.7:https", "203.0.113.7:123456", "203.0.113:80", ":443",
     "[]", "[]:443", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]443", "[[::1]]", "[unknown]:80",
     "2001:db8::1:2:3:4:5:6:7", "example.com:443", "203.0.113.7 :443"],
)  # fmt: skip
def test_other_texts_are_no_node(text: str) -> None:
    assert parsed_node(text) is None


@pytest.mark.parametrize("text", ["203.0.113.7", "::ffff:203.0.113.7"])
def test_an_ipv4_address_is_counted_as_itself(text: str) -> None:
    assert list(shares(text)) == [("203.0.113.7", 1)]


def test_an_ipv6_address_is_counted_as_its_64_and_its_48() -> None:
    """Red when only the address itself is counted: a subscriber has 2**64 of them."""
    assert list(shares("2001:db8:1:2:3::4")) == [("2001:db8:1:2::/64", 1), ("2001:db8:1::/48", 16)]
    assert list(shares("2001:db8:1:2::5")) == list(shares("2001:db8:1:2:3::4"))


def test_a_text_that_is_no_address_is_counted_as_it_stands() -> None:
    assert list(shares("unknown")) == [("unknown", 1)]
