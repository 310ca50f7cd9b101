"""Red when a manifest is accepted that was changed in any byte, or that a newer version of the format needs."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from service.backups.manifest import FORMAT, BackupError, DamagedBackupError, Manifest

MANIFEST = Manifest(scanbind="1.2.3", schema="0011", created_at="2026-11-30T12:00Z", size=4096, sha256="ab" * 32)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.decode(MANIFEST.encode()) == MANIFEST


def test_no_byte_of_a_manifest_can_be_changed() -> None:
    encoded = MANIFEST.encode()
    for place, byte in enumerate(encoded):
        for bit in range(8):
            changed = encoded[:place] + bytes([byte ^ (1 << bit)]) + encoded[place + 1 :]
            with pytest.raises(BackupError):
                Manifest.decode(changed)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b"[" * 4000, b'{"format": 1, "checksum": "x"}', b'{"format": 1, "format": 1}'],
)
def test_other_content_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedBackupError):
        Manifest.decode(content)


@pytest.mark.parametrize("change", [{"checksum": None}, {"checksum": 0}, {"more": 1}, {"format": "1"}])
def test_fields_must_be_those_that_are_written(change: dict[str, object]) -> None:
    fields = json.loads(MANIFEST.encode())
    with pytest.raises(DamagedBackupError):
        Manifest.decode(json.dumps(fields | change, indent=1).encode() + b"\n")


@pytest.mark.parametrize(
    "change",
    [
        *({"size": size} for size in ("x", -1, 1.5, True, None, 1 << 63)),
        *({"schema": schema} for schema in (None, 11, ["0011"])),
        {"created_at": "\x1b[31m"},
        {"scanbind": "1\nverified"},
    ],
    ids=str,
)
def test_a_forged_manifest_has_no_other_types_and_nothing_that_controls_a_terminal(
    change: dict[str, Any],
) -> None:
    with pytest.raises(DamagedBackupError):
        Manifest.decode(replace(MANIFEST, **change).encode())


def test_a_later_format_asks_for_a_newer_version() -> None:
    later = MANIFEST.encode().replace(f'"format": {FORMAT}'.encode(), b'"format": 2')
    with pytest.raises(BackupError, match=re.escape("its format is 2, and this version reads 1: use a newer")):
        Manifest.decode(later)


def test_another_size_is_another_manifest() -> None:
    assert replace(MANIFEST, size=4097).encode() != MANIFEST.encode()
