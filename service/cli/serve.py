"""`scanbind serve`, `demo` and `sandbox`: run the service, or try it out."""

import argparse
import asyncio
import logging
import os
import signal
from typing import get_args

from sandbox.kinds import Kind, default_emulated
from service.cli.arguments import GOOD, Arguments, config_option, load_settings, port_number
from service.config.review import cautions, check_complete
from service.config.settings import Settings, load
from service.observability import logs

log = logging.getLogger(__name__)


def run_service(arguments: Arguments) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it reloads: the settings are read now anyway
    left_out: list[str] = []
    settings = _complete(load_settings(arguments, report=left_out.append))
    from service.server.runner import serve  # noqa: PLC0415 - slow; faults are printed before

    logs.setup(arguments.log_level)
    for warning in (*left_out, *cautions(settings)):
        log.warning("configuration: %s", warning)
    return asyncio.run(serve(settings, load=lambda: _complete(load(arguments.config, os.environ))))


def _complete(settings: Settings) -> Settings:
    check_complete(settings)
    return settings


def run_demo_site(arguments: Arguments) -> int:
    from service.server.demo.run import run_demo  # noqa: PLC0415 - only what runs is imported

    logs.setup("WARNING")  # keeps the terminal free for the addresses
    return asyncio.run(run_demo(os.environ, port=arguments.port, on_lan=arguments.lan, kind=arguments.account))


def run_sandbox(arguments: Arguments) -> int:
    from sandbox.app import serve  # noqa: PLC0415 - only what runs is imported

    asyncio.run(
        serve(
            host=arguments.host,
            port=arguments.port,
            emulated=default_emulated(arguments.callback),
            kind=arguments.account,
            public_url=arguments.public_url,
        )
    )
    return GOOD


def serve_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument(
        "--log-level", choices=logs.LEVELS, default="INFO", help="log this level and above (default: INFO)"
    )


def demo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=port_number, default=8081, help="the shop's port (default: 8081)")
    parser.add_argument(
        "--lan",
        action="store_true",
        help="listen on the local network, so that phones can scan; all machines on it can use the demo",
    )
    _account_option(parser, "begin with this kind of account (default: all)")


def sandbox_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=port_number, default=8082, help="the port, 0 for a free one (default: 8082)"
    )
    parser.add_argument(
        "--public-url", metavar="URL", help="the sandbox's address for phones (default: host and port)"
    )
    parser.add_argument(
        "--callback",
        metavar="URL",
        default="http://127.0.0.1:8080/wechat/main",
        help="the service's address for pushes (default: http://127.0.0.1:8080/wechat/main)",
    )
    _account_option(parser, "print the settings of this kind of account alone (default: all)")


def _account_option(parser: argparse.ArgumentParser, effect: str) -> None:
    parser.add_argument("--account", choices=get_args(Kind), default="all", help=effect)
