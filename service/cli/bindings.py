"""`scanbind bindings`: what sites cannot see of their bindings."""

import argparse
import asyncio

from service.cli.arguments import (
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


def _client_option(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("--client", type=printable_text, metavar="NAME", help="of this site (default: of all)")


def binding_commands(parser: argparse.ArgumentParser) -> None:
    commands: Commands = {
        "conflicts": (_print_conflicts, _client_option, "list persons who are bound to several users of a site"),
    }
    add_commands(commands, parser)
