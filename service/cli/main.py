"""The command line: parses the arguments, runs the command and returns its exit status.

Exit status: 0 success, 1 failure, 2 wrong usage or configuration. Each command imports what it needs when it runs,
so that the others start fast.
"""

import argparse
import io
import os
import platform
import sys
from collections.abc import Sequence
from typing import Final

from models.errors import ServiceError
from service.cli.arguments import FAILED, WRONG, Commands, add_commands, config_option, fail
from service.cli.audit import audit_options, print_audit_log
from service.cli.backup import (
    backup_options,
    restore_options,
    run_backup,
    run_restore,
    run_verify,
    verify_options,
)
from service.cli.bindings import binding_commands
from service.cli.init import init_options, run_init
from service.cli.keys import key_commands
from service.cli.privacy import privacy_commands
from service.cli.reload import reload_configuration
from service.cli.serve import demo_options, run_demo_site, run_sandbox, run_service, sandbox_options, serve_options
from service.cli.setup import check_configuration, print_widget_tags, run_doctor, run_migrations
from service.cli.status import print_status, status_options
from service.cli.webhooks import webhook_commands
from service.config.settings import ConfigError
from service.version import VERSION


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. Raises SystemExit for `--help` and for wrong usage."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the terminal's encoding lacks is escaped: an error would lose a secret that is printed once.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe: `scanbind audit | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except ConfigError as error:
        print(*error.faults, sep="\n", file=sys.stderr)
        return WRONG
    except ServiceError as error:
        return fail(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        return fail("interrupted")
    return status


_COMMANDS: Final[Commands] = {
    "init": (run_init, init_options, "ask what you have, and write a configuration for it"),
    "serve": (run_service, serve_options, "run the service"),
    "demo": (run_demo_site, demo_options, "run the service, the WeChat sandbox and a demo shop on this machine"),
    "sandbox": (run_sandbox, sandbox_options, "run the WeChat sandbox alone"),
    "reload": (reload_configuration, config_option, "make running processes take the configuration as it is now"),
    "migrate": (run_migrations, config_option, "create the database's tables, or update them to this version"),
    "backup": (run_backup, backup_options, "back up the embedded database while the service runs"),
    "restore": (
        run_restore,
        restore_options,
        "put the database of a backup in place, with the service stopped",
    ),
    "verify": (run_verify, verify_options, "check a backup"),
    "check-config": (check_configuration, config_option, "check the configuration and list every fault"),
    "status": (print_status, status_options, "print the state of processes, stores, accounts and disk"),
    "widget": (print_widget_tags, config_option, "print script tags that pin the elements by their hash"),
    "audit": (print_audit_log, audit_options, "print the audit log"),
    "bindings": (None, binding_commands, "list conflicts of bindings, and migrate them to another account"),
    "keys": (None, key_commands, "create keys and rotate them"),
    "webhooks": (
        None,
        webhook_commands,
        "list endpoints and deliveries of webhooks, replay, test and enable them",
    ),
    "privacy": (None, privacy_commands, "export or erase the data of a person or a user"),
    "doctor": (
        run_doctor,
        config_option,
        "check the stores, the public address, the accounts and the clock, and suggest remedies",
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scanbind",
        description="Scan with WeChat: log in, register, bind an account, and disconnect it.",
        epilog="Settings come from config.yaml; SCANBIND_ variables override them (SCANBIND_SERVER__PORT=9000).",
        allow_abbrev=False,
    )
    running_on = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    parser.add_argument("--version", action="version", version=f"scanbind {VERSION} ({running_on})")
    add_commands(_COMMANDS, parser)
    return parser
