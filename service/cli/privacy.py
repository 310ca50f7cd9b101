"""`scanbind privacy`: export or erase the data of a person or a user."""

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from service.privacy import subject_requests
from service.cli.arguments import (
    GOOD,
    WRONG,
    Arguments,
    Commands,
    add_commands,
    config_option,
    fail,
    load_settings,
    printable_text,
)


def _export(arguments: Arguments) -> int:
    from service.privacy import subject_requests  # noqa: PLC0415 - only what runs is imported

    settings = load_settings(arguments)
    return _print_answer(
        asyncio.run(subject_requests.export(settings, subject_requests.subject(settings, **_whom(arguments))))
    )


def _erase(arguments: Arguments) -> int:
    from service.privacy import subject_requests  # noqa: PLC0415 - only what runs is imported

    settings = load_settings(arguments)
    about = subject_requests.subject(settings, **_whom(arguments))
    counted = asyncio.run(subject_requests.counted(settings, about))
    if counted is None:
        return _print_answer(None)
    if not (arguments.yes or _confirmed(f"This erases {counted}, permanently.")):
        print(f"scanbind: nothing was erased; with --yes this erases {counted}", file=sys.stderr)
        return WRONG
    return _print_answer(asyncio.run(subject_requests.erase(settings, about)))


def _confirmed(question: str) -> bool:
    return sys.stdin.isatty() and input(f"{question} Continue? [y/N] ").strip().lower() in ("y", "yes")


def _print_answer(answer: "subject_requests.Answer | None") -> int:
    if answer is None:
        return fail("no data is stored about this person or user")
    print(json.dumps(answer.report, ensure_ascii=False, indent=2))
    return GOOD if answer.complete else fail("Redis does not answer; the data in it expires within minutes")


def _whom(arguments: Arguments) -> dict[str, str | None]:
    return {name: getattr(arguments, name) for name in ("openid", "userid", "account", "user_id", "client")}


def _subject_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "--openid", type=printable_text, metavar="OPENID", help="a person, by their openid in an account"
    )
    whom.add_argument("--userid", type=printable_text, metavar="USERID", help="a member of an enterprise in WeCom")
    whom.add_argument(
        "--user",
        dest="user_id",
        type=printable_text,
        metavar="ID",
        help="a user of a site, and the WeChat bound to them",
    )
    parser.add_argument(
        "--account",
        type=printable_text,
        metavar="NAME",
        help="with --openid or --userid: only in this account or app",
    )
    parser.add_argument(
        "--client",
        type=printable_text,
        metavar="NAME",
        help="with --user: the site; required if there are several",
    )


def _erase_options(parser: argparse.ArgumentParser) -> None:
    _subject_options(parser)
    parser.add_argument("--yes", action="store_true", help="erase without asking")


def privacy_commands(parser: argparse.ArgumentParser) -> None:
    add_commands(_PRIVACY_COMMANDS, parser)


_PRIVACY_COMMANDS: Final[Commands] = {
    "export": (_export, _subject_options, "print all data of a person or a user"),
    "erase": (_erase, _erase_options, "erase a person or a user from every store, and print a receipt"),
}
