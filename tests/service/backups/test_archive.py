"""Red when a truncated, modified or foreign file is read as a backup, or when `tar` cannot open one."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.backups import archive
from service.backups.manifest import BackupError, DamagedBackupError, Manifest

CONTENT = bytes(range(256)) * 5 + b"odd"


def manifest_of(content: bytes, **changes: object) -> Manifest:
    fields = {"scanbind": "1.2.3", "schema": "0011", "created_at": "2026-11-30T12:00:00Z"}
    about = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Manifest(**(fields | about | changes))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("archive"), CONTENT)


def write(folder: Path, content: bytes, manifest: Manifest | None = None) -> bytes:
    (database := folder / "database").write_bytes(content)
    archive.write(target := io.BytesIO(), manifest or manifest_of(content), database)
    return target.getvalue()


def read(content: bytes, folder: Path) -> bytes:
    (database := folder / "read").unlink(missing_ok=True)
    archive.read(io.BytesIO(content), database)
    return database.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, (1 << 20) + 1])
def test_a_backup_is_read_as_it_was_written(size: int, tmp_path: Path) -> None:
    content = b"x" * size
    assert read(write(tmp_path, content), tmp_path) == content


def test_tar_opens_it(written: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(written), mode="r:") as opened:
        assert opened.getnames() == ["manifest.json", "scanbind.sqlite3"]
        assert all(member.isreg() and member.mode == 0o600 for member in opened)
        assert opened.extractfile("scanbind.sqlite3").read() == CONTENT  # type: ignore[union-attr]


def test_no_bit_can_be_flipped(written: bytes, tmp_path: Path) -> None:
    for place in range(len(written)):
        changed = bytearray(written)
        changed[place] ^= 1 << place % 8
        with pytest.raises(BackupError):
            read(bytes(changed), tmp_path)


@given(data=st.data())
def test_no_part_can_be_replaced(
    data: st.DataObject, written: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    start = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(start, len(written)))
    changed = written[:start] + data.draw(st.binary(max_size=600)) + written[end:]
    if changed != written:
        with pytest.raises(BackupError):
            read(changed, tmp_path_factory.mktemp("changed"))


def test_every_truncation_is_found(written: bytes, tmp_path: Path) -> None:
    for length in range(0, len(written), 61):
        with pytest.raises(DamagedBackupError, match="it is truncated"):
            read(written[:length], tmp_path)


@pytest.mark.parametrize("more", [b"\0", bytes(512), b"x"], ids=["zero", "block", "x"])
def test_nothing_may_follow_the_end(more: bytes, written: bytes, tmp_path: Path) -> None:
    with pytest.raises(DamagedBackupError, match="it goes on after its end"):
        read(written + more, tmp_path)


def test_a_modified_database_has_another_hash(tmp_path: Path) -> None:
    content = write(tmp_path, b"another", manifest_of(b"the one"))
    with pytest.raises(DamagedBackupError, match=r"the hash of scanbind\.sqlite3 is not that of its manifest"):
        read(content, tmp_path)


@pytest.mark.parametrize(
    "member",
    [
        {"name": "../manifest.json"},
        {"name": "/manifest.json"},
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "secret_key"},
        {"type": tarfile.DIRTYPE},
        {"type": tarfile.GNUTYPE_SPARSE},
        {"mode": 0o4777},
        {"size": 1 << 40},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", [0, 1], ids=["first", "second"])
def test_no_other_member_is_read(place: int, member: dict[str, object], written: bytes, tmp_path: Path) -> None:
    start = written.index(b"scanbind.sqlite3\0") if place else 0
    info = tarfile.TarInfo.frombuf(written[start : start + 512], "ascii", "strict")
    for name, value in member.items():
        setattr(info, name, value)
    header = info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")
    with pytest.raises(DamagedBackupError):
        read(written[:start] + header + written[start + 512 :], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["read"])


def test_a_large_manifest_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("manifest.json")
    info.size, info.mode = 5000, 0o600
    source = io.BytesIO(info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict") + bytes(5120))
    with pytest.raises(DamagedBackupError):
        archive.read(source, tmp_path / "read")
    assert source.tell() == 512
