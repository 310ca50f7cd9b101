"""Signatures of real deliveries, and wrong ones."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.utils import WeChatSigner

from service.wechat.signature import matches, sign

Sample = Callable[[str], dict[str, Any]]


@pytest.mark.parametrize(
    "name", ["official_verification", "official_plain", "official_safe_json", "tencent_safe_xml"]
)
def test_real_signatures_hold(sample: Sample, name: str) -> None:
    push = sample(name)
    query = push["query"]
    stamped = [push["account"]["token"], query["timestamp"], query["nonce"]]
    assert sign(*stamped) == query["signature"]
    if "encrypt" in push:
        assert sign(*stamped, push["encrypt"]) == query["msg_signature"]


@given(parts=st.lists(st.text()))
def test_ours_is_wechatpys(parts: list[str]) -> None:
    signer = WeChatSigner()
    signer.add_data(*parts)
    assert sign(*parts) == signer.signature


def test_parts_sort_as_bytes() -> None:
    # as UTF-16 code units U+10000 would come before U+FF00
    assert sign("\uff00", "\U00010000") == sign("\U00010000", "\uff00")
    signer = WeChatSigner()
    signer.add_data("\U00010000", "\uff00")
    assert sign("\uff00", "\U00010000") == signer.signature


@pytest.mark.parametrize("given", [None, "", "abd", "ABC", "abc ", "äbc", "\ud800"])
def test_anything_else_does_not_match(given: str | None) -> None:
    assert not matches("abc", given)
    assert matches("abc", "abc")


def test_half_a_surrogate_pair_is_only_a_wrong_signature() -> None:
    assert not matches(sign("token", "\ud800"), "0" * 40)
