"""`scanbind status`: the state of the processes, the stores, the accounts and the disk."""

import argparse
import asyncio

from service.cli.arguments import FAILED, GOOD, Arguments, config_option, load_settings


def print_status(arguments: Arguments) -> int:
    from service.status.examine import examine  # noqa: PLC0415 - only what runs is imported
    from service.status.screen import as_json, screen  # noqa: PLC0415 - only what runs is imported

    report = asyncio.run(examine(load_settings(arguments)))
    print(as_json(report) if arguments.json else screen(report))
    return FAILED if report.faults else GOOD


def status_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
