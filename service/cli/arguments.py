"""Shared by all commands: exit statuses, options, argument types and tables of commands."""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from service.config.settings import Settings, load
from service.config.sources import links_warning

GOOD: Final = 0
FAILED: Final = 1
WRONG: Final = 2
Arguments = argparse.Namespace


def fail(why: str) -> int:
    print(f"scanbind: {why}", file=sys.stderr)
    return FAILED


def warn(warning: str) -> None:
    """Print a line about a setting; like a fault, it begins with its path."""
    path, _, words = warning.partition(": ")
    print(f"{path}: warning: {words}", file=sys.stderr)


def load_settings(arguments: Arguments, *, report: Callable[[str], None] = warn) -> Settings:
    """Load the configuration, and call *report* with a warning of variables left out. Raises ConfigError."""
    settings = load(arguments.config, os.environ)
    if left_out := links_warning(os.environ):
        report(left_out)
    return settings


def config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the configuration (default: ./config.yaml, if it exists)"
    )


def printable_text(text: str) -> str:
    if not text.isprintable():  # an argument that is not UTF-8 is not printable
        raise argparse.ArgumentTypeError("must be printable")
    return text


def moment(text: str) -> datetime:
    from service.audit.reader import since  # noqa: PLC0415 - only what runs is imported

    try:
        return since(text, now=datetime.now(UTC))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("must be like 90s, 30m, 24h, 7d or 2026-11-20T08:00") from None


def whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def port_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return int(text)


Options = Callable[[argparse.ArgumentParser], None]
Commands = dict[str, tuple[Callable[[Arguments], int] | None, Options, str]]
"""By name: the function to run (None for a group of commands), its options, and a summary."""


def add_commands(table: Commands, parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, (run, options, summary) in table.items():
        description = f"{summary[0].upper()}{summary[1:]}."
        command = commands.add_parser(name, help=summary, description=description, allow_abbrev=False)
        command.set_defaults(run=run)
        options(command)
