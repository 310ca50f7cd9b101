"""What is kept of a picture's address is short, the same for the same address, and not the address."""

from models.profile import source_of


def test_an_address_is_recognised_and_not_readable() -> None:
    address = "https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132"
    kept = source_of(address)
    assert kept == source_of(address)
    assert kept != source_of(address.replace("132", "0"))
    assert len(kept) == 22
    assert not any(part in kept for part in ("qlogo", "mmopen", "abc"))
