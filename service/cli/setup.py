"""`scanbind migrate`, `check-config`, `widget` and `doctor`: set the service up and check it."""

import asyncio

from service.cli.arguments import FAILED, GOOD, Arguments, load_settings, warn
from service.config.review import cautions, check_complete


def run_migrations(arguments: Arguments) -> int:
    from service.storage.database import migrate  # noqa: PLC0415 - only what runs is imported

    print(asyncio.run(migrate(load_settings(arguments))))
    return GOOD


def check_configuration(arguments: Arguments) -> int:
    settings = load_settings(arguments)
    check_complete(settings)
    for caution in cautions(settings):
        warn(str(caution))
    print("configuration is good")
    return GOOD


def print_widget_tags(arguments: Arguments) -> int:
    from handlers.assets import EMBEDDED, SCRIPTS  # noqa: PLC0415 - only what runs is imported

    public_url = load_settings(arguments).server.public_url
    for name in EMBEDDED:
        print(SCRIPTS[name].tag(public_url))
    return GOOD


def run_doctor(arguments: Arguments) -> int:
    from service.doctor.report import examine  # noqa: PLC0415 - only what runs is imported

    findings = asyncio.run(examine(load_settings(arguments)))
    for finding in findings:
        print(finding)
    return FAILED if any(finding.ok is False for finding in findings) else GOOD
