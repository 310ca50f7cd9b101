"""The addresses that the demo prints, on this machine and on the local network.

Red when another machine is sent to a loopback address, and when an IPv6 address is accepted.
"""

import socket
from collections.abc import Iterator

import pytest

from service.server.demo.addresses import address, browser_addresses, listen

LAN = "192.0.2.7"


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    """A socket on all addresses that does not listen, so no client can connect."""
    with socket.socket() as one:
        one.bind(("0.0.0.0", 0))
        yield one


def test_by_itself_everything_is_reached_by_the_loopback(bound: socket.socket) -> None:
    port = bound.getsockname()[1]
    assert address(bound) == f"http://127.0.0.1:{port}"
    where = browser_addresses(shop=bound, phone=bound, service=bound, on_lan=False)
    assert {where.shop, where.phone, where.service} == {f"http://127.0.0.1:{port}"}


def test_an_address_of_the_network_takes_the_place_of_the_loopback(bound: socket.socket) -> None:
    port = bound.getsockname()[1]
    assert address(bound, LAN) == f"http://{LAN}:{port}"


def test_a_host_that_was_named_stays_even_on_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        where = browser_addresses(shop=one, phone=one, service=one, on_lan=True)
        assert where.shop == f"http://127.0.0.1:{one.getsockname()[1]}"
        assert not where.shared


def test_a_port_in_use_is_replaced_by_a_free_one() -> None:
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", one.getsockname()[1]) as other:
        assert one.getsockname() != other.getsockname()


@pytest.mark.parametrize("host", ["::1", "::", "2001:db8::7"])
def test_a_host_that_no_security_policy_can_name_is_refused(host: str) -> None:
    with pytest.raises(OSError, match=r"IPv4 address in SCANBIND_SERVER__HOST"):
        listen(host, 0)
