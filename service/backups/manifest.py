"""The first member of a backup: what made it, when, and the size and hash of the database in it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from models import strict_json
from models.errors import ServiceError
from service.config.yaml_file import shown

FORMAT: Final = 1
"""The version of the file format that this code writes and reads."""
_DAMAGED: Final = "it is not a backup of scanbind, or it is damaged"

_LARGEST: Final = 1 << 63
"""Bytes; no file system has larger files."""


class BackupError(ServiceError):
    """A backup cannot be made, is not valid, or cannot be restored. `faults` has one line per reason."""

    def __init__(self, *faults: str) -> None:
        self.faults = tuple(map(shown, faults))  # SQLite's messages quote names of the database
        super().__init__("; ".join(self.faults))


class DamagedBackupError(BackupError):
    """The file is truncated, modified, or no backup at all."""

    def __init__(self, detail: str = _DAMAGED) -> None:
        super().__init__(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of a backup. `schema` is the revision of the database, `size` its bytes, `sha256` its hash."""

    scanbind: str
    schema: str
    created_at: str
    size: int
    sha256: str

    def encode(self) -> bytes:
        """Return the JSON of this manifest, which ends with the hash of all the rest."""
        fields = {"format": FORMAT, **asdict(self)}
        return _json({**fields, "checksum": hashlib.sha256(_json(fields)).hexdigest()})

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Read what `encode` returned. Raises BackupError."""
        try:
            fields: dict[str, Any] = strict_json.loads(content.decode())
            checksum = fields.pop("checksum")
            known = fields.pop("format")
            if isinstance(known, int) and known > FORMAT:
                raise BackupError(f"its format is {known}, and this version reads {FORMAT}: use a newer scanbind")
            manifest = cls(**fields)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise DamagedBackupError from error
        if checksum is None or not manifest._is_well_formed() or content != manifest.encode():  # in every byte
            raise DamagedBackupError
        return manifest

    def _is_well_formed(self) -> bool:
        """Return whether the fields have their types, and no text could control a terminal."""
        texts: tuple[object, ...] = (self.scanbind, self.schema, self.created_at, self.sha256)
        sized = type(self.size) is int and 0 <= self.size < _LARGEST
        return sized and all(isinstance(text, str) and text.isprintable() for text in texts)


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1).encode() + b"\n"
