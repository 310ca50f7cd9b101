"""`scanbind webhooks`: which endpoints take events, what became of deliveries, and what to do about both."""

import argparse
import asyncio
from datetime import UTC, datetime

from models.outbox import State
from service.cli.arguments import (
    FAILED,
    GOOD,
    Arguments,
    Commands,
    add_commands,
    config_option,
    load_settings,
    moment,
    printable_text,
    whole_number,
)


def _list(arguments: Arguments) -> int:
    from service.webhooks import administration  # noqa: PLC0415 - only what runs is imported

    lines = asyncio.run(administration.list_endpoints(load_settings(arguments), client=arguments.client))
    print(*lines, sep="\n", end="\n" if lines else "")
    return GOOD


def _deliveries(arguments: Arguments) -> int:
    from service.webhooks import administration  # noqa: PLC0415 - only what runs is imported

    wanted = administration.Deliveries(
        client=arguments.client,
        since=arguments.since,
        id=arguments.id,
        state=arguments.state and State(arguments.state),
    )
    settings = load_settings(arguments)
    lines = asyncio.run(administration.list_deliveries(settings, wanted, limit=arguments.limit))
    print(*lines, sep="\n", end="\n" if lines else "")
    return GOOD


def _replay(arguments: Arguments) -> int:
    from service.webhooks import administration  # noqa: PLC0415 - only what runs is imported

    wanted = administration.Deliveries(
        client=arguments.client,
        since=arguments.since,
        id=arguments.id,
        state=State.DEAD if arguments.dead else None,
    )
    count = asyncio.run(administration.replay(load_settings(arguments), wanted, now=datetime.now(UTC)))
    print(f"{count} to deliver again")
    return GOOD if count or arguments.id is None else FAILED


def _test(arguments: Arguments) -> int:
    from service.webhooks import administration  # noqa: PLC0415 - only what runs is imported

    settings = load_settings(arguments)
    results = asyncio.run(administration.send_test(settings, client=arguments.client))
    for address, fault in results:
        print(f"{address}: {fault or 'delivered'}")
    if not results:
        print(f"clients.{arguments.client}.webhooks: is empty")
    return GOOD if results and not any(fault for _, fault in results) else FAILED


def _enable(arguments: Arguments) -> int:
    from service.webhooks import administration  # noqa: PLC0415 - only what runs is imported

    how = {"client": arguments.client, "url": arguments.url}
    waiting = asyncio.run(administration.enable(load_settings(arguments), now=datetime.now(UTC), **how))
    print(f"enabled; {waiting} waiting")
    return GOOD


def _client_option(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    config_option(parser)
    which = "of this site" if required else "of this site (default: of all)"
    parser.add_argument("--client", type=printable_text, metavar="NAME", required=required, help=which)


def _delivery_options(parser: argparse.ArgumentParser) -> None:
    _client_option(parser)
    parser.add_argument(
        "--since", type=moment, metavar="WHEN", help="events since then: 24h or 7d ago, or 2026-11-20T08:00 (UTC)"
    )
    parser.add_argument("--id", type=printable_text, metavar="ID", help="the event with this webhook-id")
    parser.add_argument("--state", choices=list(State), metavar="WORD", help=", ".join(State))
    parser.add_argument(
        "--limit", type=whole_number, default=100, metavar="N", help="the newest N deliveries (default: 100)"
    )


def _replay_options(parser: argparse.ArgumentParser) -> None:
    _client_option(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--since", type=moment, metavar="WHEN", help="events since then: 24h or 7d ago, or 2026-11-20T08:00 (UTC)"
    )
    which.add_argument("--id", type=printable_text, metavar="ID", help="the event with this webhook-id")
    parser.add_argument("--dead", action="store_true", help="only those whose tries all failed")


def _enable_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument(
        "--client", type=printable_text, metavar="NAME", help="of this site (default: the operator's)"
    )
    parser.add_argument("--url", required=True, metavar="URL", help="the address, as configured")


def webhook_commands(parser: argparse.ArgumentParser) -> None:
    commands: Commands = {
        "list": (_list, _client_option, "list endpoints, their state and what waits for them"),
        "deliveries": (_deliveries, _delivery_options, "list deliveries, one JSON object per line"),
        "replay": (_replay, _replay_options, "deliver events again, under the same ids"),
        "test": (_test, lambda it: _client_option(it, required=True), "post a test event to a site's endpoints"),
        "enable": (_enable, _enable_options, "let a disabled endpoint take events again"),
    }
    add_commands(commands, parser)
