"""`scanbind privacy`: export or erase what is held about a person or a user."""

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
    return _answered(
        asyncio.run(subject_requests.export(settings, subject_requests.subject(settings, **_whom(arguments))))
    )


def _erase(arguments: Arguments) -> int:
    from service.privacy import subject_requests  # noqa: PLC0415 - only what runs is imported

    settings = load_settings(arguments)
    about = subject_requests.subject(settings, **_whom(arguments))
    counted = asyncio.run(subject_requests.counted(settings, about))
    if counted is None:
        return _answered(None)
    if not (arguments.yes or _agreed(f"{counted}: all this would be erased for good.")):
        print(f"scanbind: this would be erased: {counted}; say --yes to do it", file=sys.stderr)
        return WRONG
    return _answered(asyncio.run(subject_requests.erase(settings, about)))


def _agreed(question: str) -> bool:
    return sys.stdin.isatty() and input(f"{question} Go on? [y/N] ").strip().lower() in ("y", "yes")


def _answered(answer: "subject_requests.Answer | None") -> int:
    if answer is None:
        return fail("nothing is held about them")
    print(json.dumps(answer.told, ensure_ascii=False, indent=2))
    return GOOD if answer.complete else fail("Redis does not answer; what it holds of them lapses in minutes")


def _whom(arguments: Arguments) -> dict[str, str | None]:
    return {name: getattr(arguments, name) for name in ("openid", "account", "user_id", "client")}


def _subject_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--openid", type=printable_text, metavar="OPENID", help="a person, as an account knows them")
    whom.add_argument(
        "--user", dest="user_id", type=printable_text, metavar="ID", help="a user of a site, with their WeChat"
    )
    parser.add_argument(
        "--account", type=printable_text, metavar="NAME", help="with --openid: in this account alone"
    )
    parser.add_argument(
        "--client",
        type=printable_text,
        metavar="NAME",
        help="with --user: of this site; needed if there are several",
    )


def _erase_options(parser: argparse.ArgumentParser) -> None:
    _subject_options(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def privacy_commands(parser: argparse.ArgumentParser) -> None:
    add_commands(_PRIVACY_COMMANDS, parser)


_PRIVACY_COMMANDS: Final[Commands] = {
    "export": (_export, _subject_options, "print everything that is held about somebody"),
    "erase": (_erase, _erase_options, "forget somebody in every store, and print a receipt"),
}
