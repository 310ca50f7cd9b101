"""`scanbind reload`: makes running processes take the configuration as it is now."""

import asyncio
import os
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from service.cli.arguments import FAILED, GOOD, WRONG, Arguments, fail
from service.config.settings import load_data_dir

if TYPE_CHECKING:
    from service.control.asking import Answer


def reload_configuration(arguments: Arguments) -> int:
    """Reload every process that uses the configured data folder. Return the worst status of them."""
    from service.control.asking import ask  # noqa: PLC0415 - only what runs is imported

    data_dir = load_data_dir(arguments.config, os.environ)
    answers = asyncio.run(ask(data_dir, "POST", "/reload"))
    if not answers:
        return fail(f"no process of scanbind is running with data_dir {data_dir}")
    return max(map(_print, answers))


def _print(answer: "Answer") -> int:
    """Print what a process answered; return the exit status."""
    body = answer.body
    if not answer.status:
        return fail("a process did not answer in time; see its log")
    if answer.status != HTTPStatus.OK:
        refused = f"process {body['pid']}: refused, the settings stay as they were"
        print(refused, *body["faults"], sep="\n", file=sys.stderr)
        return WRONG if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY else FAILED
    print(f"process {body['pid']}: reloaded", end="\n" if body["changed"] else ", nothing has changed\n")
    for line in (*body["changed"], *body["restart"], *(f"warning: {warning}" for warning in body["warnings"])):
        print(f"  {line}")
    return GOOD
