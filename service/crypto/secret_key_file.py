"""The secret keys that scanbind stores in data_dir: one per line, newest first, written atomically."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from models.portal import LINK_LIVES, SESSION_LIVES
from models.ticket import CODE_LIVES, READABLE_AFTER, REGISTRATION_LIVES
from service.concurrency import file_lock
from service.config import data_folder
from service.config.settings import SHORTEST_KEY, ConfigError, Settings
from service.config.types import LONGEST_LIFETIME

KEPT: Final = 3
"""Maximum number of keys in the file: the newest signs, the older ones only verify."""
OLD_KEY_NEEDED: Final = max(
    timedelta(seconds=LONGEST_LIFETIME) + max(CODE_LIVES, READABLE_AFTER),
    REGISTRATION_LIVES,
    LINK_LIVES,
    SESSION_LIVES,
)
"""How long a replaced key is needed: until the last thing that it signed has expired."""
_PATIENCE: Final = 5.0
"""Seconds to wait for a concurrent rotation, which takes milliseconds."""


class ConfiguredKeyError(Exception):
    """The key is set in the configuration, which scanbind does not write."""


def fresh_key() -> str:
    """Return a new key of 384 random bits, as text."""
    return secrets.token_urlsafe(48)


def resolve_secret_keys(settings: Settings) -> tuple[str, ...]:
    """Return the configured keys, or those of `data_dir/secret_key`, newest first. Creates the file if need be.

    Raises ConfigError if the file cannot be created or read, is damaged, or is accessible to other users.
    """
    if settings.secret_key:
        return tuple(key.get_secret_value() for key in settings.secret_key)
    with _config_errors(place := _place(settings)):
        return _read_or_create(place)


def rotate(settings: Settings) -> Path:
    """Add a new key to the file, drop all but the newest KEPT, and return the file's path.

    Takes effect when the service reloads or restarts. Raises ConfigError as `resolve_secret_keys` does, and
    ConfiguredKeyError.
    """
    if settings.secret_key:
        raise ConfiguredKeyError
    with _config_errors(place := _place(settings)):
        _read_or_create(place)  # the folder, which is to be locked, may not exist yet
        with _locked(place.parent) as folder:
            keys = (fresh_key(), *_read_or_create(place))[:KEPT]
            with _draft(place, keys) as draft:
                os.chown(draft, (old := place.stat()).st_uid, old.st_gid)  # root may rotate another user's file
                draft.replace(place)
            os.fsync(folder)
    return place


def discard(settings: Settings) -> None:
    """Delete the file: the next start makes a new key, and nothing signed before is valid. Raises OSError.

    Has no effect on a configured key.
    """
    if not settings.secret_key:
        _place(settings).unlink(missing_ok=True)


def _place(settings: Settings) -> Path:
    return settings.data_dir / "secret_key"


@contextlib.contextmanager
def _config_errors(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError([f"data_dir: {place} cannot be created or read: {reason}"]) from error


def _read_or_create(place: Path) -> tuple[str, ...]:
    """Read the keys, creating the file if need be. If two processes do, the first to link its file wins."""
    if not place.exists():
        with data_folder.writing():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _draft(place, (fresh_key(),)) as draft, contextlib.suppress(FileExistsError):
            os.link(draft, place)
    keys, mode = [line.strip() for line in place.read_text("ascii").splitlines()], place.stat().st_mode
    if not keys or any(len(key) < SHORTEST_KEY or not key.isprintable() for key in keys):
        fault = (
            f"data_dir: {place} contains no key, or one that is too short or damaged; "
            "restore it, or delete it for a new key"
        )
        raise ConfigError([fault])
    if mode & 0o077:
        raise ConfigError([f"data_dir: {place} is accessible to other users; run `chmod 600 {place}`"])
    return tuple(keys)


@contextlib.contextmanager
def _draft(place: Path, keys: tuple[str, ...]) -> Iterator[Path]:
    """Write *keys* to a temporary file beside *place*, synced to disk; it is deleted afterwards unless moved."""
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".secret_key-")  # O_EXCL, 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{key}\n" for key in keys)
            file.flush()
            os.fsync(descriptor)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Lock *folder* against other rotations and yield its descriptor. Raises ConfigError after a timeout."""
    with file_lock.opened(folder, file_lock.FOLDER) as descriptor:
        if not file_lock.lock_within(descriptor, _PATIENCE):
            raise ConfigError(
                [f"data_dir: another `scanbind keys rotate` has locked {folder}; try again when it has ended"]
            )
        yield descriptor
