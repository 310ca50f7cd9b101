"""Checks the database: that it answers, its tables, encryption with the newest key, bindings of lost accounts."""

from collections.abc import AsyncIterator
from typing import Final

from models.errors import StoreUnavailable
from service.bindings.former_appids import REMEDY, former_appids, unconfigured
from service.config.settings import Settings
from service.doctor.database_server import server_findings
from service.doctor.finding import Finding
from service.identities import reencryption
from service.storage.schema import NewerSchema
from service.storage.stores import open_database

NEWER: Final = "install the version of scanbind that migrated it, or a newer one"


async def check_database(settings: Settings) -> AsyncIterator[Finding]:
    async with open_database(settings, check=None) as sql:
        for check, message, remedy in (
            (sql.ping, "answers", "start it, or correct database.url"),
            (sql.check_schema, "its tables are current", "run `scanbind migrate`"),
        ):
            try:
                await check()
            except StoreUnavailable as error:
                yield Finding(False, "database", str(error), NEWER if isinstance(error, NewerSchema) else remedy)
                return
            yield Finding(True, "database", message)
        for finding in await sql.read(server_findings):
            yield finding
        cipher = reencryption.cipher(settings)
        await reencryption.check(sql, cipher)
        if left := await reencryption.stale(sql, cipher):
            message = f"{left:,} people are stored unencrypted or encrypted with an older key"
            yield Finding(None, "encryption.keys", message, "run `scanbind keys encrypt`")
        for former in await former_appids(sql, settings.appids):
            yield Finding(None, settings.appid_path(former.account), str(former), REMEDY)
        for account, count in (await unconfigured(sql, settings.appids)).items():
            message = f"is not configured; bindings that belong to it: {count:,}. These people cannot log in"
            yield Finding(
                None,
                f"accounts.{account}",
                message,
                "put it back under this name, or see docs/operations.md#take-an-account-out",
            )
