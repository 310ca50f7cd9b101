"""`scanbind status`: the state of the processes, the stores, the accounts and the disk."""

import argparse
import asyncio
import os
import threading
from typing import Final

from service.cli.arguments import FAILED, GOOD, Arguments, config_option, load_settings
from service.config.settings import Settings

_CLOSES_WITHIN: Final = 2.0
"""Seconds to close clients; then the process exits: the thread of a DNS query cannot be ended."""


def print_status(arguments: Arguments) -> int:
    status, deadline = asyncio.run(_print(load_settings(arguments), json=arguments.json))
    deadline.cancel()
    return status


async def _print(settings: Settings, *, json: bool) -> tuple[int, threading.Timer]:
    """Print the report; return the exit status, and the timer that exits with it."""
    from service.status.examine import examine  # noqa: PLC0415 - only what runs is imported
    from service.status.screen import as_json, screen  # noqa: PLC0415 - only what runs is imported

    report = await examine(settings)
    print(as_json(report) if json else screen(report), flush=True)
    status = FAILED if report.faults else GOOD
    deadline = threading.Timer(_CLOSES_WITHIN, os._exit, (status,))
    deadline.daemon = True
    deadline.start()
    return status, deadline


def status_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
