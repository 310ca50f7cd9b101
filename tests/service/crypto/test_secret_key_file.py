"""The generated secret key file: made once, readable by its owner alone, rotated without losing keys."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from service.config.settings import ConfigError, Settings, validate
from service.crypto import secret_key_file
from service.crypto.secret_key_file import ConfiguredKeyError, resolve_secret_keys, rotate


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return validate({"data_dir": str(tmp_path / "var")})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "var" / "secret_key"


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    settings = validate({"data_dir": str(tmp_path / "deep" / "var")})
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: resolve_secret_keys(settings), range(32)))
    place = tmp_path / "deep" / "var" / "secret_key"
    [(key,)] = found
    assert len(key) >= 32
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert list(place.parent.iterdir()) == [place]


def test_configured_keys_are_used_and_nothing_is_written(tmp_path: Path) -> None:
    settings = validate({"data_dir": str(tmp_path / "var"), "secret_key": ["n" * 32, "k" * 32]})
    assert resolve_secret_keys(settings) == ("n" * 32, "k" * 32)
    with pytest.raises(ConfiguredKeyError):
        rotate(settings)
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("content", "mode", "fault"),
    [
        (b"short", 0o600, "too short"),
        (b"", 0o600, "too short"),
        (b"k" * 40 + b"\nshort\n", 0o600, "too short"),
        (b"\0" * 64, 0o600, "damaged"),  # as a file system may leave a new file when the power fails
        (b"k" * 40 + b"\n" + b"n" * 40 + b"\x07", 0o600, "damaged"),
        (b"k" * 40, 0o644, "chmod 600"),
        (b"\xff" * 40, 0o600, "not text"),
    ],
)
def test_a_kept_key_that_is_damaged_or_open_is_refused_and_left_alone(
    content: bytes, mode: int, fault: str, settings: Settings, place: Path
) -> None:
    place.parent.mkdir()
    place.write_bytes(content)
    place.chmod(mode)
    for read in (resolve_secret_keys, rotate):
        with pytest.raises(ConfigError, match=fault):
            read(settings)
    assert place.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = validate({"data_dir": str(tmp_path / "file" / "var")})
    for read in (resolve_secret_keys, rotate):
        with pytest.raises(ConfigError, match=r"data_dir: .* cannot be written: Not a directory"):
            read(settings)


def test_a_rotation_puts_a_fresh_key_first_and_keeps_three(settings: Settings, place: Path) -> None:
    known = resolve_secret_keys(settings)
    for _ in range(4):
        assert rotate(settings) == place
        keys = resolve_secret_keys(settings)
        assert keys[0] not in known
        assert keys[1:] == known[: secret_key_file.KEPT - 1]
        known = keys
    assert len(known) == secret_key_file.KEPT
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert list(place.parent.iterdir()) == [place]


def test_rotations_at_once_lose_no_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `rotate` does not hold the folder, and when it makes its list before it does."""
    monkeypatch.setattr(secret_key_file, "KEPT", 100)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: rotate(settings), range(24)))
    assert len(set(resolve_secret_keys(settings))) == 25


def test_a_rotation_that_never_ends_is_not_waited_for(
    settings: Settings, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_key_file, "_PATIENCE", 0.05)
    before = resolve_secret_keys(settings)
    with (
        secret_key_file._locked(place.parent),
        pytest.raises(ConfigError, match="another `scanbind keys rotate` has locked"),
    ):
        rotate(settings)
    assert resolve_secret_keys(settings) == before


def test_a_rotation_that_fails_leaves_the_keys_as_they_were(
    settings: Settings, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = resolve_secret_keys(settings)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        rotate(settings)
    assert resolve_secret_keys(settings) == before
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can give a file away")
def test_root_may_rotate_what_a_user_keeps(settings: Settings, place: Path) -> None:
    """Red when `rotate` leaves the new file to the user who ran it: the service could not read its key."""
    resolve_secret_keys(settings)
    os.chown(place, 65534, 65534)
    rotate(settings)
    assert (place.stat().st_uid, place.stat().st_gid) == (65534, 65534)


def test_an_old_key_is_needed_for_as_long_as_the_longest_ticket_can_be_read() -> None:
    """Red when the time that an ended ticket stays readable is left out."""
    assert timedelta(seconds=1800 + 120) == secret_key_file.OLD_KEY_NEEDED
