"""`scanbind init`: ask what the operator has, and write a configuration for it."""

import argparse
import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from service.setup.questions import Question
from models.language import Lang
from service.cli.arguments import GOOD, Arguments, fail
from service.config.fault import Fault
from service.config.secret_files import LARGEST, only, values_of
from service.config.settings import DEFAULT_FILE, ConfigError

_FLAGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "kind": ("--kind", "KIND", "what you have: test, service, personal, website, wecom or miniprogram"),
    "public_url": ("--public-url", "URL", "the address by which browsers and WeChat reach the service"),
    "appid": ("--appid", "APPID", "the AppID of the account, website application or mini program"),
    "corpid": ("--corpid", "CORPID", "wecom: the CorpID"),
    "agentid": ("--agentid", "NUMBER", "wecom: the AgentId"),
    "page": ("--page", "PAGE", "miniprogram: the page that its codes open (default: pages/scan/index)"),
    "account_name": ("--account-name", "NAME", "personal: how people find the account in WeChat"),
    "client": ("--client", "NAME", "the site's name for the service, a-z 0-9 _ (default: shop)"),
    "client_name": ("--client-name", "NAME", "the site's name that people see in WeChat"),
}
_MANY: Final = {
    "origins": ("--origin", "ORIGIN", "a site whose pages may start a login; may be repeated"),
    "return_urls": ("--return-url", "URL", "website, wecom: where browsers may return to; may be repeated"),
}
_FILES: Final = {
    "secret": ("--secret-file", "FILE", "a file with the secret of the account or application, which is copied"),
    "database_url": ("--database-url-file", "FILE", "a file with the URL of the database (default: embedded)"),
    "redis_url": ("--redis-url-file", "FILE", "a file with the URL of Redis (default: embedded)"),
}


def run_init(arguments: Arguments) -> int:
    from service.setup import drafting, next_steps, questions, rendering, writing  # noqa: PLC0415 - only what runs is imported

    output, lang = arguments.output, Lang(arguments.lang or _language(os.environ))
    if output.exists():
        return fail(f"{output} exists, and nothing is overwritten: name another file with --output")
    asks = sys.stdin.isatty() and not arguments.yes
    try:
        answers = questions.collect(
            _given(arguments), ask=(lambda question: _ask(question, lang)) if asks else None, tell=_tell
        )
    except (EOFError, KeyboardInterrupt):
        print(file=sys.stderr)
        return fail("nothing was written")
    draft = drafting.draft(answers)
    files = rendering.files(draft, output, lang)
    writing.write_new(files)
    print(next_steps.next_steps(draft, files, output, lang))
    return GOOD


def _given(arguments: Arguments) -> dict[str, str | list[str]]:
    """Return the answers of the flags. Raises ConfigError with the faults of files."""
    given = {name: value for name in (*_FLAGS, *_MANY) if (value := getattr(arguments, name)) is not None}
    faults = []
    for name, (flag, _, _) in _FILES.items():
        if path := getattr(arguments, name):
            try:
                with path.open("rb") as file:
                    given[name] = only(values_of(file.read(LARGEST + 1)))
            except OSError as error:
                faults.append(f"{flag}: cannot be read: {error.strerror}")
            except Fault as fault:
                faults.append(f"{flag}: {fault}")
    if faults:
        raise ConfigError(faults)
    return given


def _ask(question: "Question", lang: Lang) -> str:
    default = f" [{question.default}]" if question.default else ""
    prompt = f"{question.words[lang]}{default}: "
    answer = getpass.getpass(prompt) if question.hidden else input(prompt)
    return answer.strip() or question.default or ""


def _tell(fault: str) -> None:
    print(f"  {fault}", file=sys.stderr)


def _language(environ: Mapping[str, str]) -> str:
    """Return zh if the terminal's language is Chinese, else en."""
    named = next(filter(None, map(environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return Lang.ZH if named.startswith("zh") else Lang.EN


def init_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help="the new file (default: config.yaml)",
    )
    parser.add_argument(
        "--lang",
        choices=[lang.value for lang in Lang],
        help="of questions and comments (default: by LANG)",
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing: use the flags and the defaults")
    for name, (flag, value, summary) in _FLAGS.items():
        parser.add_argument(flag, dest=name, metavar=value, help=summary)
    for name, (flag, value, summary) in _MANY.items():
        parser.add_argument(flag, dest=name, action="append", metavar=value, help=summary)
    for name, (flag, value, summary) in _FILES.items():
        parser.add_argument(flag, dest=name, type=Path, metavar=value, help=summary)
    parser.epilog = (
        "In a terminal it asks for what no flag answers. Each secret is written to a file of its own, in the "
        "folder secrets beside the configuration. Exit status: 0 written; 1 nothing written; 2 a flag is faulty "
        "or missing."
    )
