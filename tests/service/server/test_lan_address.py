"""This machine's address on the local network."""

import pytest

from service.server import lan_address


@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.2", "172.20.10.3", "203.0.113.9", "fd00::2"])
def test_an_address_of_a_network_is_reachable(address: str) -> None:
    assert lan_address.reachable(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.1.1", "0.0.0.0", "169.254.3.4", "::1", "::", "fe80::1%eth0"]
)
def test_the_machine_itself_is_no_network(address: str) -> None:
    assert not lan_address.reachable(address)


def test_the_own_address_is_reachable_or_clearly_missing() -> None:
    missing: OSError | None = None
    try:
        assert lan_address.reachable(lan_address.own_address())
    except OSError as error:
        missing = error
    assert missing is None or "local network" in str(missing.strerror)
