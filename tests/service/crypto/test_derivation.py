"""Derived keys: one key and one context lead to one value, which every release must derive alike."""

from service.crypto.derivation import derive

KEY = "k" * 40


def test_the_derived_key_is_the_same_in_every_release() -> None:
    """Red when hash, salt or info changes: every ticket and sealed openid would become unreadable."""
    assert derive(KEY, "a context").hex() == "9232ba46ceb4a90ea8373832dcedb0373fec5bbbfea9e9c27d1efdfdb71aa859"


def test_another_key_context_or_size_gives_another_key() -> None:
    keys = [derive(KEY, "a"), derive(KEY, "b"), derive(KEY + "k", "a"), derive(KEY, "a", size=64)]
    assert [len(one) for one in keys] == [32, 32, 32, 64]
    assert len(set(keys)) == 4
