"""`scanbind bindings`: what sites cannot see of their bindings, and what they cannot do to them."""

import argparse
import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from service.cli.arguments import (
    FAILED,
    GOOD,
    Arguments,
    Commands,
    add_commands,
    config_option,
    load_settings,
    printable_text,
)


def _print_conflicts(arguments: Arguments) -> int:
    from service.bindings import conflicts  # noqa: PLC0415 - only what runs is imported

    lines = asyncio.run(conflicts.lines(load_settings(arguments), client=arguments.client))
    print(*lines, sep="\n", end="\n" if lines else "")
    return GOOD


def _migrate(arguments: Arguments) -> int:
    from service.bindings import account_migration  # noqa: PLC0415 - only what runs is imported

    takeover = account_migration.Takeover(arguments.former, arguments.account)
    settings, write = load_settings(arguments), partial(print, flush=True)
    work = account_migration.migrate(settings, takeover, dry_run=arguments.dry_run, write=write)
    with _without_warnings("service.wechat"):  # the error of the command says what was refused
        return FAILED if asyncio.run(work).left else GOOD


@contextmanager
def _without_warnings(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _original_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise argparse.ArgumentTypeError("must be an original id such as gh_0123456789ab")
    return text


def _migration_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument(
        "--from",
        dest="former",
        required=True,
        type=_original_id,
        metavar="GH_ID",
        help="the original id (gh_...) of the former account",
    )
    parser.add_argument(
        "--account",
        required=True,
        type=printable_text,
        metavar="NEW",
        help="the name of the account that took it over, configured with its own appid and secret",
    )
    parser.add_argument("--dry-run", action="store_true", help="ask WeChat and print the report; change nothing")
    parser.epilog = (
        "Prints a line for each identity that is left. Exit status: 0 when all that WeChat knows is migrated; "
        "1 when an identity is bound to two users or cannot be decrypted, or the command stopped. "
        "It can be run again at any time, while the service is running."
    )


def _client_option(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("--client", type=printable_text, metavar="NAME", help="of this site (default: of all)")


def binding_commands(parser: argparse.ArgumentParser) -> None:
    commands: Commands = {
        "conflicts": (_print_conflicts, _client_option, "list persons who are bound to several users of a site"),
        "migrate": (
            _migrate,
            _migration_options,
            "give people the openids of the account that took over",
        ),
    }
    add_commands(commands, parser)
