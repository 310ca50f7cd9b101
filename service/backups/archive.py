"""The file format of backups: an uncompressed tar of manifest.json and scanbind.sqlite3.

The two contents determine each byte of the file. A reader accepts no other byte: no path, no link and no further
member.
"""

import hashlib
import tarfile
from pathlib import Path
from typing import BinaryIO, Final

from service.backups.manifest import DamagedBackupError, Manifest
from service.storage import sqlite

MANIFEST: Final = "manifest.json"
DATABASE: Final = sqlite.FILE
_LARGEST_MANIFEST: Final = 4096
"""Bytes; `encode` returns some 400."""
_BLOCK: Final = 512
_CHUNK: Final = 1 << 20
_END: Final = bytes(2 * _BLOCK)
_TRUNCATED: Final = "it is truncated"


def write(target: BinaryIO, manifest: Manifest, database: Path) -> None:
    """Write the backup of the file *database*, which *manifest* describes. Raises OSError."""
    encoded = manifest.encode()
    target.write(_header(MANIFEST, len(encoded)) + encoded + _padding(len(encoded)))
    target.write(_header(DATABASE, manifest.size))
    with database.open("rb") as source:
        _copy(source, target, manifest.size)
    target.write(_padding(manifest.size) + _END)


def read(source: BinaryIO, database: Path) -> Manifest:
    """Read a backup, and write the database in it to the new file *database*.

    No more is written than was read: the format has no compression.

    Raises:
        BackupError: *source* is not exactly what `write` writes.
        OSError: a file cannot be read or written.
    """
    size = _size(source, MANIFEST)
    if size > _LARGEST_MANIFEST:
        raise DamagedBackupError
    manifest = Manifest.decode(_exactly(source, size))
    _expect(source, _padding(size))
    _expect(source, _header(DATABASE, manifest.size))
    with database.open("xb") as target:
        digest = _copy(source, target, manifest.size)
    _expect(source, _padding(manifest.size) + _END)
    if source.read(1):
        raise DamagedBackupError("it goes on after its end")
    if digest != manifest.sha256:
        raise DamagedBackupError(f"the hash of {DATABASE} is not that of its manifest: it was modified")
    return manifest


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _size(source: BinaryIO, name: str) -> int:
    """Read the header of the member *name*; return the size it states."""
    block = _exactly(source, _BLOCK)
    try:
        size = tarfile.TarInfo.frombuf(block, "ascii", "strict").size
        if block != _header(name, size):
            raise DamagedBackupError
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise DamagedBackupError from error
    return size


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _exactly(source: BinaryIO, size: int) -> bytes:
    if len(found := source.read(size)) < size:
        raise DamagedBackupError(_TRUNCATED)
    return found


def _expect(source: BinaryIO, expected: bytes) -> None:
    if _exactly(source, len(expected)) != expected:
        raise DamagedBackupError


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> str:
    """Copy *size* bytes; return their SHA-256."""
    digest = hashlib.sha256()
    for start in range(0, size, _CHUNK):
        chunk = _exactly(source, min(_CHUNK, size - start))
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()
