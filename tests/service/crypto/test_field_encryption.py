"""An encrypted field decrypts only where it was stored, and its lookup hash reveals nothing."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import StoreUnavailable
from service.crypto.field_encryption import Column, FieldCipher, StoredValue

OLD, NEW = "an older key of thirty-two letters or so", "the newer key of thirty-two letters or so"
ANNA = "oAnna-_0123456789abcdefghijk"
ACCOUNT = "main"


def sealed(cipher: FieldCipher, text: str = ANNA) -> StoredValue:
    return cipher.keep(text, Column.OPENID, account=ACCOUNT)


def opened(cipher: FieldCipher, kept: StoredValue, **changes: str) -> str:
    by = changes.pop("by", cipher.newest)
    column, account = Column(changes.get("column", "openid")), changes.get("account", ACCOUNT)
    return cipher.open(kept, column, account=account, by=by)


@given(text=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64))
def test_what_is_sealed_opens_again_and_fits_its_column(text: str) -> None:
    cipher = FieldCipher.of([NEW])
    kept = sealed(cipher, text)
    assert opened(cipher, kept) == text
    assert kept.sealed is not None
    assert len(kept.sealed) <= 128
    assert len(kept.lookup) <= 64


def test_without_keys_everything_is_kept_as_it_is() -> None:
    cipher = FieldCipher.of([])
    assert cipher.newest is None
    assert sealed(cipher) == StoredValue(ANNA, None)
    assert cipher.forms(ANNA, Column.OPENID) == (ANNA,)
    assert opened(cipher, sealed(cipher)) == ANNA


def test_the_layout_is_the_one_that_is_written_down() -> None:
    raw = base64.urlsafe_b64decode((sealed(FieldCipher.of([NEW])).sealed or "") + "==")
    assert raw[0] == 1
    assert len(raw) == 1 + 12 + len(ANNA) + 16


def test_two_seals_of_one_text_differ_and_are_looked_up_alike() -> None:
    cipher = FieldCipher.of([NEW])
    one, other = sealed(cipher), sealed(cipher)
    assert one.sealed != other.sealed
    assert one.lookup == other.lookup


def test_a_change_of_any_character_is_seen() -> None:
    """Red when the version is not looked at, or `_bound` leaves out the lookup."""
    cipher = FieldCipher.of([NEW])
    kept = sealed(cipher)
    for name in ("sealed", "lookup"):
        text = getattr(kept, name)
        for place, was in enumerate(text):
            for other in ("A" if was != "A" else "B", "_"):
                if other != was:
                    changed = replace(kept, **{name: text[:place] + other + text[place + 1 :]})
                    with pytest.raises(StoreUnavailable, match="was changed"):
                        opened(cipher, changed)


@pytest.mark.parametrize("broken", ["", "AQ", "=", "é", "A" * 200, None])
def test_what_was_never_sealed_does_not_open(broken: str | None) -> None:
    cipher = FieldCipher.of([NEW])
    with pytest.raises(StoreUnavailable, match="was changed") as caught:
        opened(cipher, replace(sealed(cipher), sealed=broken))
    assert ANNA not in str(caught.value)


def test_a_value_put_into_another_column_account_or_row_does_not_open() -> None:
    """Red when `_bound` leaves out the column or the account."""
    cipher = FieldCipher.of([NEW])
    kept, other = sealed(cipher), sealed(cipher, "oBen")
    for moved, where in (
        (kept, {"column": "unionid"}),
        (kept, {"account": "second"}),
        (replace(kept, lookup=other.lookup), {}),
    ):
        with pytest.raises(StoreUnavailable, match="was changed"):
            opened(cipher, moved, **where)


def test_a_key_that_is_not_listed_is_named_by_its_setting() -> None:
    old, new = FieldCipher.of([OLD]), FieldCipher.of([NEW])
    with pytest.raises(
        StoreUnavailable, match=r"^encryption.keys: a row is encrypted with a key that is not listed; add it$"
    ):
        opened(new, sealed(old), by=old.newest or "")


def test_an_older_key_opens_and_the_newest_seals() -> None:
    old, both, new = FieldCipher.of([OLD]), FieldCipher.of([NEW, OLD]), FieldCipher.of([NEW])
    assert opened(both, sealed(old), by=old.newest or "") == ANNA
    assert both.newest == new.newest != old.newest
    assert opened(new, sealed(both)) == ANNA
    assert both.ids == {old.newest, new.newest}


def test_a_text_is_looked_up_by_every_form_the_newest_first_and_the_clear_one_at_last() -> None:
    lookups = [sealed(FieldCipher.of([key])).lookup for key in (NEW, OLD)]
    assert FieldCipher.of([NEW, OLD]).forms(ANNA, Column.OPENID) == (*lookups, ANNA)
    assert FieldCipher.of(["clear", OLD]).forms(ANNA, Column.OPENID) == (ANNA, lookups[1])
    assert FieldCipher.of([NEW, "clear"]).forms(ANNA, Column.OPENID) == (lookups[0], ANNA)


def test_while_clear_comes_first_nothing_new_is_sealed() -> None:
    cipher = FieldCipher.of(["clear", OLD])
    assert sealed(cipher) == StoredValue(ANNA, None)
    assert cipher.newest is None
    assert opened(cipher, sealed(FieldCipher.of([OLD])), by=FieldCipher.of([OLD]).newest or "") == ANNA


def test_a_blind_index_is_another_for_each_key_and_column_and_looks_like_no_openid() -> None:
    indexes = {
        FieldCipher.of([key]).keep(ANNA, column, account=ACCOUNT).lookup for key in (OLD, NEW) for column in Column
    }
    assert len(indexes) == 4
    for index in indexes:
        assert index.startswith(".")
        assert ANNA not in index


def test_a_unionid_is_looked_up_alike_in_every_account() -> None:
    cipher = FieldCipher.of([NEW])
    assert len({cipher.keep("u1", Column.UNIONID, account=it).lookup for it in ("main", "second")}) == 1
