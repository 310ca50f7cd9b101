"""Checks everything that is configured and suggests remedies. Changes nothing but what a start would change.

Checks give findings and never raise, so that one run reports everything that is wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from models.errors import StoreUnavailable
from service.config.settings import ConfigError, Settings
from service.doctor.configuration import check_configuration
from service.doctor.database import NEWER, check_database
from service.doctor.disk import check_disk
from service.doctor.finding import REACH, Finding
from service.doctor.forwarding import check_forwarding
from service.doctor.mini_programs import check_mini_programs
from service.doctor.passcodes import check_passcodes
from service.doctor.public_url import check_public_url
from service.doctor.redis import check_redis
from service.doctor.web_authorization import check_web_authorization
from service.doctor.wechat import check_accounts, check_clock
from service.storage.schema import NewerSchema

PATIENCE: Final = 15.0
"""Seconds that one check may take."""
_REPAIR: Final = "repair it or restore a backup, or set the address of another one"


async def examine(settings: Settings) -> list[Finding]:
    """Check the configuration, the stores, the disk, the public address, every account and app, and the clock."""
    findings = []
    for subject, check in _CHECKS.items():
        try:
            async with asyncio.timeout(PATIENCE):
                async for finding in check(settings):
                    findings.append(finding)  # noqa: PERF401 - what was found stays if a check takes too long
        except ConfigError as error:
            findings += [
                Finding(False, subject, fault, "correct it and run the doctor again") for fault in error.faults
            ]
        except StoreUnavailable as error:  # of an embedded store: it is opened before it is checked
            remedy = NEWER if isinstance(error, NewerSchema) else _REPAIR
            findings.append(Finding(False, subject, str(error).removeprefix("database.url: "), remedy))
        except TimeoutError:
            findings.append(
                Finding(False, subject, f"no answer within {PATIENCE:.0f} seconds", REACH.format(subject))
            )
        except Exception as error:  # noqa: BLE001 - a check that fails is a finding, too
            findings.append(Finding(False, subject, f"failed with {type(error).__name__}", REACH.format(subject)))
    return findings


_Check = Callable[[Settings], AsyncIterator[Finding]]
_CHECKS: Final[dict[str, _Check]] = {
    "configuration": check_configuration,
    "redis": check_redis,
    "database": check_database,
    "data_dir": check_disk,
    "server.public_url": check_public_url,
    "accounts": check_accounts,
    "web authorization": check_web_authorization,
    "mini programs": check_mini_programs,
    "passcodes": check_passcodes,
    "passed-on pushes": check_forwarding,
    "clock": check_clock,
}
