"""The methods by which a ticket learns who holds the phone.

Red when a method is marked as available, or as a redirect, that the contract does not have.
"""

from models.method import AVAILABLE, REDIRECTS, Method


def test_this_version_has_six_of_the_methods() -> None:
    assert set(Method) == AVAILABLE


def test_with_four_methods_another_device_answers() -> None:
    assert set(Method) - REDIRECTS == {Method.SCAN, Method.LINK, Method.MINIPROGRAM, Method.PASSCODE}
