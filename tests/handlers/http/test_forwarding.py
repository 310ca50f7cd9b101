"""Where a request comes from, through proxies that are trusted, silent or lying.

Red when a header is believed that `server.proxy_headers` does not name, or a hop left of the first untrusted one,
and when one that cannot be read is not logged.
"""

import logging
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from handlers.http import forwarding
from service.config.settings import Server

PEER, HERE, INNER = "127.0.0.1", "203.0.113.7", "10.0.0.5"
TRUSTED = ("127.0.0.0/8", "10.0.0.0/8", "fd00::/8")

visitors = st.ip_addresses(network="203.0.113.0/24").map(str) | st.ip_addresses(network="2001:db8::/32").map(str)
inner = st.ip_addresses(network="10.0.0.0/8").map(str) | st.ip_addresses(network="fd00::/8").map(str)
sent = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@pytest.fixture(autouse=True)
def nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "_WARNED", set())


def request(*headers: tuple[str, str], peer: str = PEER, kind: str = "x-forwarded") -> tuple[web.Request, Server]:
    server = SimpleNamespace(trusted_proxies=tuple(map(ip_network, TRUSTED)), proxy_headers=kind)
    transport: Any = SimpleNamespace(
        get_extra_info=lambda name, default=None: {"peername": (peer, 9)}.get(name, default)
    )
    made = make_mocked_request("GET", "/", headers=CIMultiDict(headers), transport=transport)
    return made, cast("Server", server)


def address(*headers: tuple[str, str], **how: Any) -> str:
    return str(forwarding.origin(*request(*headers, **how)).address)


def x_forwarded_for(*lines: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", line) for line in lines]


def forwarded(*lines: str) -> list[tuple[str, str]]:
    return [("Forwarded", line) for line in lines]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["203.0.113.7:50007"], HERE),
        (["6.6.6.6, 203.0.113.7"], HERE),
        (["6.6.6.6", "203.0.113.7:1, 10.0.0.5:443", "[fd00::1]:80"], HERE),
        (["6.6.6.6, unknown, 10.0.0.5"], INNER),
        (["6.6.6.6, 10.0.0.5, unknown"], PEER),
        (['6.6.6.6, "203.0.113.7'], PEER),
        (["10.0.0.5"], INNER),
        ([""], PEER),
        ([], PEER),
    ],
)
def test_the_first_untrusted_hop_from_the_right_is_the_visitor(lines: list[str], expected: str) -> None:
    assert address(*x_forwarded_for(*lines)) == expected
    standard = [", ".join(f"for={part.strip()}" for part in line.split(",") if part) for line in lines]
    assert address(*forwarded(*standard), kind="forwarded") == expected


def test_headers_of_an_untrusted_peer_are_ignored() -> None:
    headers = [*x_forwarded_for(HERE), *forwarded(f"for={HERE};proto=https"), ("X-Forwarded-Proto", "https")]
    for kind in ("x-forwarded", "forwarded"):
        assert address(*headers, peer="198.51.100.1", kind=kind) == "198.51.100.1"
        assert not forwarding.is_https(*request(*headers, peer="198.51.100.1", kind=kind))


def test_only_one_kind_of_header_is_read() -> None:
    """A proxy passes the kind that it does not write through as the client sent it.

    Red if `_is_standard` reads `Forwarded` beside an `X-Forwarded-For`, or does not look at the configuration.
    """
    both = [*x_forwarded_for("203.0.113.1"), *forwarded("for=203.0.113.2")]
    assert address(*both) == "203.0.113.1"
    assert address(*both, kind="forwarded") == "203.0.113.2"
    assert address(*forwarded("for=203.0.113.2")) == "203.0.113.2"
    assert address(*x_forwarded_for("203.0.113.1"), kind="forwarded") == PEER
    with_for = [*x_forwarded_for("203.0.113.1"), *forwarded("for=203.0.113.2;proto=https")]
    assert not forwarding.is_https(*request(*with_for))
    assert forwarding.is_https(*request(*forwarded("for=203.0.113.2;proto=https")))
    assert not forwarding.is_https(*request(("X-Forwarded-Proto", "https"), kind="forwarded"))


@pytest.mark.parametrize(
    ("lines", "https"),
    [
        (["https"], True), (["HTTPS, http"], True), ([" \t, https"], True), (['"https"'], True),
        (["https", "http"], True),
        (["http, https"], False), (["http"], False), (["httpsx"], False), ([""], False), ([], False),
    ],
)  # fmt: skip
def test_the_first_scheme_is_the_browsers(lines: list[str], *, https: bool) -> None:
    assert forwarding.is_https(*request(*(("X-Forwarded-Proto", line) for line in lines))) is https


@pytest.mark.parametrize(
    ("line", "https"),
    [
        ("for=203.0.113.7;proto=https", True),
        ('for=203.0.113.7;Proto="HTTPS", for=10.0.0.5;proto=http', True),
        ("for=_hidden;proto=https", True),
        ("for=6.6.6.6;proto=https, for=203.0.113.7;proto=http", False),
        ("for=6.6.6.6;proto=https, for=unknown", False),
        ("for=203.0.113.7", False),
    ],
)
def test_the_scheme_in_forwarded_is_that_of_the_visitors_hop(line: str, *, https: bool) -> None:
    assert forwarding.is_https(*request(*forwarded(line), kind="forwarded")) is https


@given(
    visitor=visitors,
    hops=st.lists(inner, max_size=4),
    forged=sent,
    port=st.sampled_from(["", ":443"]),
    data=st.data(),
)
def test_no_chain_of_trusted_proxies_lets_a_client_choose_its_address(
    visitor: str, hops: list[str], forged: str, port: str, data: st.DataObject
) -> None:
    chain = [f"[{hop}]{port}" if ":" in hop else hop + port for hop in (visitor, *hops)]
    cut = data.draw(st.integers(0, len(chain)))  # some proxies add a line of their own
    lines = [forged, *(", ".join(part) for part in (chain[:cut], chain[cut:]) if part)]
    assert address(*x_forwarded_for(*lines), *forwarded(forged)) == visitor
    named = [", ".join(f'for="{hop}"' for hop in line.split(", ")) for line in lines[1:]]
    assert address(*forwarded(forged, *named), *x_forwarded_for(forged), kind="forwarded") == visitor


def test_each_unreadable_form_is_logged_once_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        for line in ("6.6.6.6, unknown", "6.6.6.6, secret", f"6.6.6.6, {HERE}", "203.0.113.7:https", "x" * 8000):
            address(*x_forwarded_for(line))
    told = (
        "trusted proxy 127.0.0.1: cannot read its X-Forwarded-For of the form {}; its visitors share its address"
    )
    assert [record.getMessage() for record in caplog.records] == [told.format(it) for it in ("'a'", "'9.9.9.9:a'")]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_proxy_that_sends_the_other_header_alone_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        address(*x_forwarded_for("203.0.113.2"), kind="forwarded")
        address(*x_forwarded_for("203.0.113.2"), *forwarded(f"for={HERE}"), kind="forwarded")
        address(kind="forwarded")
    assert [record.getMessage() for record in caplog.records] == [
        "trusted proxy 127.0.0.1: sends X-Forwarded-For, but server.proxy_headers names Forwarded"
    ]


def test_a_client_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Red when `_WARNED` has no bound."""
    for n in range(100):
        address(*x_forwarded_for("a" + "." * n))
    assert len(caplog.records) == 10
