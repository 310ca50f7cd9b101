"""The command line: reads arguments, starts what they name, prints what comes of it. Decides nothing.

Exit status: 0 good, 1 failed, 2 wrong usage or configuration. Each command imports what it runs, so that the
others start fast.
"""

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.audit import Happening
from models.binding import Change
from models.errors import ServiceError
from service.config.settings import ConfigError, Settings, load
from service.observability import logs

if TYPE_CHECKING:
    from service.privacy import subject_requests

GOOD: Final = 0
FAILED: Final = 1
WRONG: Final = 2

_EVENTS: Final = (*Happening, *Change)

Arguments = argparse.Namespace


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. Raises SystemExit for `--help` and for wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has read enough: `scanbind audit | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except ConfigError as error:
        print(*error.faults, sep="\n", file=sys.stderr)
        return WRONG
    except ServiceError as error:
        return _fail(error.detail)
    except OSError as error:
        return _fail(error.strerror or str(error))
    except KeyboardInterrupt:
        return _fail("interrupted")
    return status


def _fail(why: str) -> int:
    print(f"scanbind: {why}", file=sys.stderr)
    return FAILED


def _serve(arguments: Arguments) -> int:
    from service.server.runner import serve  # noqa: PLC0415 - only what runs is imported

    settings = _settings(arguments)
    logs.setup(arguments.log_level)
    return asyncio.run(serve(settings))


def _migrate(arguments: Arguments) -> int:
    from service.storage.database import migrate  # noqa: PLC0415 - only what runs is imported

    print(asyncio.run(migrate(_settings(arguments))))
    return GOOD


def _check_config(arguments: Arguments) -> int:
    _settings(arguments)
    print("configuration is good")
    return GOOD


def _widget(arguments: Arguments) -> int:
    from handlers.assets import SCRIPTS  # noqa: PLC0415 - only what runs is imported

    public_url = _settings(arguments).server.public_url
    for script in SCRIPTS.values():
        print(script.tag(public_url))
    return GOOD


def _doctor(arguments: Arguments) -> int:
    from service.doctor.report import examine  # noqa: PLC0415 - only what runs is imported

    findings = asyncio.run(examine(_settings(arguments)))
    for finding in findings:
        print(finding)
    return FAILED if any(finding.ok is False for finding in findings) else GOOD


def _encrypt(arguments: Arguments) -> int:
    from service.identities.reencryption import encrypt  # noqa: PLC0415 - only what runs is imported

    sealed = asyncio.run(encrypt(_settings(arguments)))
    print(sealed)
    return FAILED if sealed.left else GOOD


def _audit(arguments: Arguments) -> int:
    from service.audit import reader  # noqa: PLC0415 - only what runs is imported

    wanted = reader.Wanted(**{name: getattr(arguments, name) for name in reader.Wanted.__slots__})
    settings = _settings(arguments)
    lines = asyncio.run(reader.lines(settings, wanted, limit=arguments.limit, as_json=arguments.json))
    print(*lines, sep="\n", end="\n" if lines else "")
    return GOOD


def _new_key(arguments: Arguments) -> int:
    from service.crypto.client_secrets import fresh_secret, hash_of  # noqa: PLC0415 - only what runs is imported
    from service.crypto.secret_key_file import fresh_key  # noqa: PLC0415 - only what runs is imported

    print(_FRESH[arguments.kind], file=sys.stderr)
    if arguments.kind != "client":
        print(fresh_key())
        return GOOD
    secret = fresh_secret()
    print(f'secret: "{secret}"', f'secret_hash: "{hash_of(secret.encode())}"', sep="\n")
    return GOOD


def _rotate_key(arguments: Arguments) -> int:
    from service.crypto.secret_key_file import OLD_KEY_NEEDED, ConfiguredKeyError, rotate  # noqa: PLC0415 - only what runs

    try:
        place = rotate(_settings(arguments))
    except ConfiguredKeyError:
        return _fail(
            "secret_key stands in your configuration: put a new one before it; "
            "`scanbind keys new secret_key` makes one"
        )
    minutes = math.ceil(OLD_KEY_NEEDED.total_seconds() / 60)
    print(f"a new key stands first in {place}: restart the service; {minutes} minutes later the older may go")
    return GOOD


def _export(arguments: Arguments) -> int:
    from service.privacy import subject_requests  # noqa: PLC0415 - only what runs is imported

    settings = _settings(arguments)
    return _answered(
        asyncio.run(subject_requests.export(settings, subject_requests.subject(settings, **_whom(arguments))))
    )


def _erase(arguments: Arguments) -> int:
    from service.privacy import subject_requests  # noqa: PLC0415 - only what runs is imported

    settings = _settings(arguments)
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
        return _fail("nothing is held about them")
    print(json.dumps(answer.told, ensure_ascii=False, indent=2))
    return GOOD if answer.complete else _fail("Redis does not answer; what it holds of them lapses in minutes")


def _whom(arguments: Arguments) -> dict[str, str | None]:
    return {name: getattr(arguments, name) for name in ("openid", "account", "user_id", "client")}


def _demo(arguments: Arguments) -> int:
    from service.server.demo import run_demo  # noqa: PLC0415 - only what runs is imported

    logs.setup("WARNING")  # the terminal is for the addresses
    return asyncio.run(run_demo(os.environ, port=arguments.port, on_lan=arguments.lan))


def _sandbox(arguments: Arguments) -> int:
    from sandbox.app import default_account, serve  # noqa: PLC0415 - only what runs is imported

    accounts = [default_account(arguments.callback)]
    asyncio.run(
        serve(host=arguments.host, port=arguments.port, accounts=accounts, public_url=arguments.public_url)
    )
    return GOOD


def _settings(arguments: Arguments) -> Settings:
    return load(arguments.config, os.environ)


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings to read (./config.yaml if there is one)"
    )


def _audit_options(parser: argparse.ArgumentParser) -> None:
    _config_option(parser)
    parser.add_argument("--since", type=_since, metavar="WHEN", help="24h, 7d, or a time such as 2026-11-20T08:00")
    parser.add_argument("--event", choices=_EVENTS, metavar="WORD", help="one of " + ", ".join(_EVENTS))
    parser.add_argument("--client", type=_text, metavar="NAME", help="of this site")
    parser.add_argument("--user-id", type=_text, metavar="ID", help="of this user of a site")
    parser.add_argument("--openid", type=_text, metavar="OPENID", help="of this person; all of it is needed")
    parser.add_argument("--ticket", type=_text, metavar="TICKET", help="of this ticket")
    parser.add_argument("--limit", type=_count, default=100, metavar="N", help="the last so many lines (100)")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")


def _serve_options(parser: argparse.ArgumentParser) -> None:
    _config_option(parser)
    parser.add_argument("--log-level", choices=logs.LEVELS, default="INFO", help="the least that is logged (INFO)")


def _subject_options(parser: argparse.ArgumentParser) -> None:
    _config_option(parser)
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--openid", type=_text, metavar="OPENID", help="a person, as an account knows them")
    whom.add_argument(
        "--user", dest="user_id", type=_text, metavar="ID", help="a user of a site, with their WeChat"
    )
    parser.add_argument("--account", type=_text, metavar="NAME", help="with --openid: in this account alone")
    parser.add_argument(
        "--client", type=_text, metavar="NAME", help="with --user: of this site; needed if there are several"
    )


def _erase_options(parser: argparse.ArgumentParser) -> None:
    _subject_options(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _privacy_commands(parser: argparse.ArgumentParser) -> None:
    _add(_PRIVACY_COMMANDS, parser)


def _demo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8081, help="the shop's port (8081)")
    parser.add_argument(
        "--lan",
        action="store_true",
        help="let phones on the local network in, and anybody else on it: everything is open to them meanwhile",
    )


def _sandbox_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8082, help="the port; 0 takes a free one (8082)")
    parser.add_argument("--public-url", metavar="URL", help="how phones reach it, if not by host and port")
    parser.add_argument(
        "--callback",
        metavar="URL",
        default="http://127.0.0.1:8080/wechat/main",
        help="where pushes go (http://127.0.0.1:8080/wechat/main)",
    )


def _since(text: str) -> datetime:
    from service.audit.reader import since  # noqa: PLC0415 - only what runs is imported

    try:
        return since(text, now=datetime.now(UTC))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("must be such as 90s, 30m, 24h, 7d or 2026-11-20T08:00") from None


def _text(text: str) -> str:
    if not text.isprintable():  # an argument that is no UTF-8 is not
        raise argparse.ArgumentTypeError("must be printable")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise argparse.ArgumentTypeError("must be a whole number from 1 on")
    return int(text)


def _kind_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=_FRESH, help="what the key is for")


def _key_commands(parser: argparse.ArgumentParser) -> None:
    _add(_KEY_COMMANDS, parser)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return int(text)


_FRESH: Final = {
    "secret_key": "a key for secret_key: put it before the one in use; with several processes, first behind it",
    "client": "the secret is for the site's back end, the hash for clients.NAME.secret_hash",
    "encryption": "a key for encryption.keys: docs/operations.md says in which steps it takes over",
}
_Options = Callable[[argparse.ArgumentParser], None]
_Commands = dict[str, tuple[Callable[[Arguments], int] | None, _Options, str]]
"""What runs (None: the commands below it), its options, and what it does."""
_KEY_COMMANDS: Final[_Commands] = {
    "new": (_new_key, _kind_argument, "print a fresh key or secret"),
    "rotate": (_rotate_key, _config_option, "put a fresh key before the one that scanbind keeps in data_dir"),
    "encrypt": (_encrypt, _config_option, "bring everybody in the database under the newest of encryption.keys"),
}
_PRIVACY_COMMANDS: Final[_Commands] = {
    "export": (_export, _subject_options, "print everything that is held about somebody"),
    "erase": (_erase, _erase_options, "forget somebody in every store, and print a receipt"),
}
_COMMANDS: Final[_Commands] = {
    "serve": (_serve, _serve_options, "run the service"),
    "demo": (_demo, _demo_options, "try everything on this machine, with a pretend WeChat and a shop"),
    "sandbox": (_sandbox, _sandbox_options, "run the pretend WeChat alone"),
    "migrate": (_migrate, _config_option, "bring the database to the newest revision"),
    "check-config": (_check_config, _config_option, "name every fault of the configuration"),
    "widget": (_widget, _config_option, "print the script tags that pin this version in a page"),
    "audit": (_audit, _audit_options, "read the record of what matters to security"),
    "keys": (None, _key_commands, "make keys and rotate them"),
    "privacy": (None, _privacy_commands, "hand out or erase what is held about somebody"),
    "doctor": (_doctor, _config_option, "try everything that is configured, and say what to do"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scanbind",
        description="Scan with WeChat: log in, register, bind an account, and disconnect again.",
        epilog="Settings come from config.yaml, then SCANBIND_ variables (SCANBIND_SERVER__PORT=9000).",
    )
    _add(_COMMANDS, parser)
    return parser


def _add(table: _Commands, parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, (run, options, summary) in table.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        command.set_defaults(run=run)
        options(command)
