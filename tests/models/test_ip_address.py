"""IP addresses: one form for each address, and the networks that a limit counts as one subscriber."""

from ipaddress import ip_address

import pytest

from models.ip_address import is_public, may_be_posted_to, parsed_address, parsed_node, shares


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


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "223.5.5.5", "2400:3200::1", "64:ff9b::101:101", "::ffff:1.1.1.1", "2606:4700::1111"]
)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
     "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff0e::1", "2001:db8::1", "4000::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
     "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2002:101:101::1", "2001:0:7f00:1::1", "", "localhost"],
)  # fmt: skip
def test_any_other_address_is_not_public(text: str) -> None:
    """Red when an IPv4 address is not looked for inside an IPv6 one, or a multicast one counts as global."""
    assert not is_public(text)


@pytest.mark.parametrize("text", ["1.1.1.1", "2400:3200::1", "64:ff9b::101:101"])
def test_a_webhook_may_go_to_a_public_address(text: str) -> None:
    assert may_be_posted_to(text, allow_private=False)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "100.64.0.1"])
def test_a_webhook_may_go_to_a_private_address_only_if_that_is_allowed(text: str) -> None:
    assert not may_be_posted_to(text, allow_private=False)
    assert may_be_posted_to(text, allow_private=True)


@pytest.mark.parametrize("allowed", [False, True], ids=["public", "private"])
@pytest.mark.parametrize(
    "text",
    ["169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
     "fd20:ce::254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
     "64:ff9b::6464:64c8", "", "localhost", "1:2"],
)  # fmt: skip
def test_no_webhook_goes_to_the_link_or_to_cloud_metadata(text: str, allowed: bool) -> None:
    assert not may_be_posted_to(text, allow_private=allowed)
