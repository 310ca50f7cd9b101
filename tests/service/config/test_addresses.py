"""Hosts, web addresses and origins: what passes is what browsers, resolvers and aiohttp make of it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from service.config.addresses import (
    is_host,
    is_local,
    listening_host,
    origin,
    return_url,
    safe_web_address,
    web_address,
)
from service.config.fault import Fault

ADDRESSES = st.builds(
    "{}://{}{}".format, st.sampled_from(["http", "https"]), st.text("ab1.-_:[]@%", max_size=9), st.text("/a.%20;@")
)


@given(ADDRESSES)
def test_every_accepted_web_address_is_read_by_aiohttp(text: str) -> None:
    """Red when a path may contain a lone %, or a host an empty label."""
    try:
        kept = web_address(text)
    except Fault:
        return
    read = URL(kept)
    assert read.host
    assert (read.user, read.query_string, read.fragment) == (None, "", "")


@given(st.text("ab1.-_", max_size=70))
def test_every_accepted_host_can_be_encoded_for_a_resolver(host: str) -> None:
    """Red when an empty label is accepted: a resolver raises UnicodeError, which is no OSError."""
    if is_host(host):
        host.encode("idna")


@pytest.mark.parametrize(
    ("given_origin", "kept"),
    [
        ("HTTPS://Shop.Example:443", "https://shop.example"),
        ("http://[0:0::1]:8081", "http://[::1]:8081"),
        ("http://127.0.0.1:080", "http://127.0.0.1"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(given_origin: str, kept: str) -> None:
    assert origin(given_origin) == kept


@pytest.mark.parametrize(
    "text", ["https://a..b", "https://1.2.3", "https://[::g]", "https://shop.example:65536", "https://sh\u212aop"]
)
def test_an_origin_that_no_browser_sends_is_refused(text: str) -> None:
    with pytest.raises(Fault):
        origin(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "localhost", "fe80::1%eth0", "scanbind.internal"])
def test_addresses_to_listen_on(host: str) -> None:
    assert listening_host(host) == host


@pytest.mark.parametrize("host", ["*", "[::1]", "localhost:80", "http://localhost", "a..b", "300.1.1.1"])
def test_what_is_no_address_to_listen_on(host: str) -> None:
    with pytest.raises(Fault):
        listening_host(host)


def test_private_and_own_addresses_are_local() -> None:
    assert all(map(is_local, ["10.1.2.3", "::1", "fe80::1", "100.64.0.1", "nas", "a.localhost", "a.home.arpa"]))
    assert not any(map(is_local, ["8.8.8.8", "203.0.113.7", "2001:db8::1", "login.example", "172.32.0.1"]))


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/",
        "https://Shop.Example:8443/done;a?x=1&y=%20?/@:",
        "http://localhost:3000/done",
        "http://127.0.0.1",
        "http://[::1]:8080/done",
        "https://shop.example/" + "x" * 1979,
    ],
)
def test_an_address_to_return_to_is_kept_letter_by_letter(url: str) -> None:
    assert return_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/done",
        "ftp://shop.example/",
        "javascript:alert(1)",
        "https:///done",
        "https://a..b/",
        "https://u:p@shop.example/",
        "https://shop.example@evil.example/",
        "https://shop.example/#top",
        "https://shop.example/#",
        "https://shop.example/a b",
        "https://shop.example\\@evil.example/",
        "https://shop.example/\n",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://商城.example/",
        "https://shop.example/%zz",
        "https://shop.example/" + "x" * 1980,
    ],
)
def test_what_browsers_may_read_otherwise_is_no_address_to_return_to(url: str) -> None:
    with pytest.raises(Fault, match="must be an address such as"):
        return_url(url)


@pytest.mark.parametrize(
    ("query", "named"), [("code=1", "code"), ("a=b&state", "state"), ("error=&%63ode=", "code and error")]
)
def test_an_address_to_return_to_leaves_room_for_the_result(query: str, named: str) -> None:
    with pytest.raises(Fault, match=f"must not contain {named} in its query"):
        return_url(f"https://shop.example/?{query}")


@pytest.mark.parametrize("check", [return_url, safe_web_address])
@pytest.mark.parametrize(
    "host", ["shop.example", "10.0.0.1", "nas.local", "localhost.example", "127.0.0.1.example", "[2001:db8::1]"]
)
def test_only_this_machine_is_reached_over_http(check: Callable[[str], str], host: str) -> None:
    """Red when a private network counts as this machine."""
    assert check(f"https://{host}/a") == f"https://{host}/a"
    with pytest.raises(Fault, match="must be https"):
        check(f"http://{host}/a")
