"""Checks the database: that it answers, its tables, and encryption with the newest key."""

from collections.abc import AsyncIterator

from models.errors import StoreUnavailable
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.identities import reencryption
from service.storage.stores import open_database


async def check_database(settings: Settings) -> AsyncIterator[Finding]:
    async with open_database(settings, check=None) as sql:
        for check, message, remedy in (
            (sql.ping, "answers", "start it, or correct database.url"),
            (sql.check_schema, "its tables are current", "run `scanbind migrate`"),
        ):
            try:
                await check()
            except StoreUnavailable as error:
                yield Finding(False, "database", str(error), remedy)
                return
            yield Finding(True, "database", message)
        cipher = reencryption.cipher(settings)
        await reencryption.check(sql, cipher)
        if left := await reencryption.stale(sql, cipher):
            message = f"{left:,} people are stored unencrypted or encrypted with an older key"
            yield Finding(None, "encryption.keys", message, "run `scanbind keys encrypt`")
