"""Methods. Red when one counts as a redirect, or no longer does."""

from models.method import REDIRECTS, Method


def test_with_four_methods_another_device_answers() -> None:
    assert set(Method) - REDIRECTS == {Method.SCAN, Method.LINK, Method.MINIPROGRAM, Method.PASSCODE}
