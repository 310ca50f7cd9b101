"""`scanbind audit`: read the audit log."""

import argparse
import asyncio
from typing import Final

from models.audit import AuditEvent
from models.binding import Change
from service.cli.arguments import (
    GOOD,
    Arguments,
    config_option,
    load_settings,
    moment,
    printable_text,
    whole_number,
)

_EVENTS: Final = tuple(event.value for event in (*AuditEvent, *Change))


def print_audit_log(arguments: Arguments) -> int:
    from service.audit import reader  # noqa: PLC0415 - only what runs is imported

    wanted = reader.AuditFilter(**{name: getattr(arguments, name) for name in reader.AuditFilter.__slots__})
    settings = load_settings(arguments)
    lines = asyncio.run(reader.lines(settings, wanted, limit=arguments.limit, as_json=arguments.json))
    print(*lines, sep="\n", end="\n" if lines else "")
    return GOOD


def audit_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument(
        "--since", type=moment, metavar="WHEN", help="entries since then: 24h or 7d ago, or 2026-11-20T08:00 (UTC)"
    )
    parser.add_argument(
        "--event", choices=_EVENTS, metavar="WORD", help="entries of one event: " + ", ".join(_EVENTS)
    )
    parser.add_argument("--client", type=printable_text, metavar="NAME", help="entries of this site")
    parser.add_argument("--user-id", type=printable_text, metavar="ID", help="entries of this user of a site")
    parser.add_argument(
        "--openid",
        type=printable_text,
        metavar="OPENID",
        help="entries of this person; the full openid, or the userid in lower case",
    )
    parser.add_argument("--ticket", type=printable_text, metavar="TICKET", help="entries of this ticket")
    parser.add_argument(
        "--limit", type=whole_number, default=100, metavar="N", help="the newest N entries (default: 100)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
