"""`scanbind backup`, `verify` and `restore`: the embedded database in one file."""

import argparse
import asyncio
import math
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from service.backups.manifest import Manifest
from service.cli.arguments import FAILED, GOOD, Arguments, config_option, load_settings, warn
from service.config.types import EMBEDDED

_STANDARD: Final = Path("-")
_LEFT_OUT: Final = (
    "It contains no key: keep the configuration, and encryption.keys above all, in another place than the backup."
)

_SAME_KEY: Final = (
    "secret_key: is set in your configuration: put a new key in place of all old ones before the service starts, "
    "unless it has been stopped for {} minutes; login codes used since the backup could be used again"
)

_SAME_REDIS: Final = "redis.url: is not embedded: empty that Redis (FLUSHDB) before the service starts"


def run_backup(arguments: Arguments) -> int:
    from service.backups.creation import back_up  # noqa: PLC0415 - only what runs is imported

    target = None if arguments.file == _STANDARD else arguments.file
    manifest = back_up(load_settings(arguments), target, now=datetime.now(UTC), force=arguments.force)
    print(
        f"{arguments.file}: {_described(manifest)}", _LEFT_OUT, sep="\n", file=sys.stdout if target else sys.stderr
    )
    return GOOD


def run_restore(arguments: Arguments) -> int:
    from service.backups.restoring import restore  # noqa: PLC0415 - only what runs is imported
    from service.crypto.secret_key_file import OLD_KEY_NEEDED  # noqa: PLC0415 - only what runs is imported

    settings = load_settings(arguments)
    with _input(arguments.file) as source:
        restored = asyncio.run(restore(settings, source, now=datetime.now(UTC), force=arguments.force))
    print(f"{settings.data_dir}: restored {_described(restored.manifest)}")
    if restored.kept:
        print(f"the database that was there is now {restored.kept}")
    if settings.secret_key:
        warn(_SAME_KEY.format(math.ceil(OLD_KEY_NEEDED.total_seconds() / 60)))
    if settings.redis.url != EMBEDDED:
        warn(_SAME_REDIS)
    return GOOD


def run_verify(arguments: Arguments) -> int:
    from service.backups.manifest import BackupError  # noqa: PLC0415 - only what runs is imported
    from service.backups.verification import verify  # noqa: PLC0415 - only what runs is imported

    settings = load_settings(arguments) if arguments.config else None
    try:
        with _input(arguments.file) as source:
            manifest = asyncio.run(verify(source, settings))
    except BackupError as error:
        print(*(f"{arguments.file}: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return FAILED
    print(f"{arguments.file}: {_described(manifest)}")
    return GOOD


def _described(manifest: "Manifest") -> str:
    return (
        f"a backup of {manifest.created_at} by scanbind {manifest.scanbind}, "
        f"database of {manifest.size:,} bytes at revision {manifest.schema}"
    )


def _input(file: Path) -> "AbstractContextManager[BinaryIO]":
    return nullcontext(sys.stdin.buffer) if file == _STANDARD else file.open("rb")


def backup_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to write; - for standard output")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def restore_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="the backup; - for standard input")
    parser.add_argument(
        "--force", action="store_true", help="put it in place of a database, which is kept under another name"
    )


def verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the backup; - for standard input")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="also check that encryption.keys of this configuration opens the backup",
    )
