"""The secret key where scanbind keeps it itself: a line for each, newest first; written whole or not at all."""

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
from service.config.settings import SHORTEST_KEY, ConfigError, Settings
from service.config.types import LONGEST_LIFETIME

KEPT: Final = 3
"""Keys that stay in the file: the newest makes, the older ones verify what they have made."""
OLD_KEY_NEEDED: Final = max(
    timedelta(seconds=LONGEST_LIFETIME) + max(CODE_LIVES, READABLE_AFTER),
    REGISTRATION_LIVES,
    LINK_LIVES,
    SESSION_LIVES,
)
"""How long something that a key has made can still be shown once a newer key makes everything."""
_PATIENCE: Final = 5.0
"""Seconds to wait for another rotation, which takes milliseconds."""


class ConfiguredKeyError(Exception):
    """The key stands in the configuration, which scanbind does not write."""


def fresh_key() -> str:
    """Return a new key of 384 random bits, as text."""
    return secrets.token_urlsafe(48)


def resolve_secret_keys(settings: Settings) -> tuple[str, ...]:
    """Return the configured keys, or those kept in `data_dir/secret_key`, made there when first wanted.

    Newest first. Raises ConfigError when they cannot be made or read, are damaged, or could be read by others.
    """
    if settings.secret_key:
        return tuple(key.get_secret_value() for key in settings.secret_key)
    with _told(place := _place(settings)):
        return _kept(place)


def rotate(settings: Settings) -> Path:
    """Put a fresh key before those that scanbind keeps, drop what is older than KEPT; return the file.

    Takes effect when the service starts again. Raises ConfigError as `resolve_secret_keys` does, and
    ConfiguredKeyError.
    """
    if settings.secret_key:
        raise ConfiguredKeyError
    with _told(place := _place(settings)):
        _kept(place)  # there may be no folder yet to hold
        with _alone(place.parent) as folder:
            keys = (fresh_key(), *_kept(place))[:KEPT]
            with _draft(place, keys) as draft:
                os.chown(draft, (kept := place.stat()).st_uid, kept.st_gid)  # root may rotate what a user keeps
                draft.replace(place)
            os.fsync(folder)
    return place


def _place(settings: Settings) -> Path:
    return settings.data_dir / "secret_key"


@contextlib.contextmanager
def _told(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError([f"data_dir: the key in {place} cannot be kept or read: {reason}"]) from error


def _kept(place: Path) -> tuple[str, ...]:
    """Read the keys. Where there are none, make one: of two processes at once, the first to link its file wins."""
    if not place.exists():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _draft(place, (fresh_key(),)) as draft, contextlib.suppress(FileExistsError):
            os.link(draft, place)
    keys, mode = [line.strip() for line in place.read_text("ascii").splitlines()], place.stat().st_mode
    if not keys or any(len(key) < SHORTEST_KEY for key in keys):
        raise ConfigError([f"data_dir: the key in {place} is cut short; restore it, or remove it to make another"])
    if mode & 0o077:
        raise ConfigError([f"data_dir: the key in {place} can be read by others; chmod 600 it"])
    return tuple(keys)


@contextlib.contextmanager
def _draft(place: Path, keys: tuple[str, ...]) -> Iterator[Path]:
    """Write *keys* into a file of their own beside *place*, safe on disk and gone afterwards unless moved."""
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
def _alone(folder: Path) -> Iterator[int]:
    """Hold *folder* against other rotations; give its descriptor. Raises ConfigError when one does not end."""
    with file_lock.opened(folder, file_lock.FOLDER) as descriptor:
        if not file_lock.lock_within(descriptor, _PATIENCE):
            raise ConfigError([f"data_dir: another rotation holds {folder}; try again when it has ended"])
        yield descriptor
