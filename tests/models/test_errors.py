"""Errors whose detail is sent to callers reveal nothing of what was wrong or who asked."""

import pytest

from models.errors import BadSignature, Malformed, RateLimited, StoreUnavailable, WrongCredentials


def test_every_unreadable_push_has_the_same_detail() -> None:
    """Red when `Malformed` puts its fault into the detail."""
    assert len({Malformed(fault).detail for fault in ("envelope", "body", "appid")}) == 1
    assert Malformed("envelope").fault == "envelope"


def test_a_bad_signature_has_no_detail() -> None:
    assert (BadSignature("timestamp").detail, BadSignature("timestamp").fault) == ("", "timestamp")


def test_wrong_credentials_read_the_same_for_known_and_unknown_clients() -> None:
    assert WrongCredentials(client="shop").detail == WrongCredentials(client=None).detail


@pytest.mark.parametrize("error", [StoreUnavailable("x"), RateLimited("x", limit="scans")])
def test_what_may_be_retried_may_be_retried_after_a_second_by_default(
    error: StoreUnavailable | RateLimited,
) -> None:
    assert error.retry_after == 1
