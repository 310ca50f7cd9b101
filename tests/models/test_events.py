"""Openids are shortened for people and hashed for keys; neither form contains the whole openid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import OpenId, pseudonym, shortened

OPENIDS = st.text("ABCXYZabcxyz0189_-", min_size=1, max_size=64)


@pytest.mark.parametrize(
    ("openid", "shown"),
    [
        ("o9AgO5Kd5ggOC-bXrbNODIiE3bGY", "…DIiE3bGY"),
        ("oA3456789", "…6789"),
        ("oA", "…A"),
        ("O", "…"),
    ],
)
def test_the_end_of_an_openid_is_shown_and_never_more_than_half(openid: str, shown: str) -> None:
    assert shortened(openid) == shown


def test_userids_that_end_alike_are_not_shown_alike() -> None:
    """Red when the end of a userid is shown: an audit entry would be every person's of that domain."""
    shown = [shortened(f"{name}@shop.example") for name in ("anna", "ben")]
    assert shown[0] != shown[1]
    assert not any("example" in one for one in shown)


def test_an_outsider_is_shown_as_another_persons_openid_is() -> None:
    assert shortened(":o9AgO5Kd5ggOC-bXrbNODIiE3bGY") == "…DIiE3bGY"


@given(OPENIDS)
def test_a_pseudonym_is_a_key_of_22_characters_without_the_openid(openid: str) -> None:
    name = pseudonym(OpenId(openid))
    assert len(name) == 22
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    assert name == pseudonym(OpenId(openid)) != pseudonym(OpenId(openid + "x"))
