"""Checks the configuration."""

from collections.abc import AsyncIterator

from service.config.settings import Settings
from service.crypto.secret_key_file import resolve_secret_keys
from service.doctor.finding import Finding


async def check_configuration(settings: Settings) -> AsyncIterator[Finding]:
    resolve_secret_keys(settings)
    yield Finding(True, "configuration", "good")
    for part in ("accounts", "clients"):
        if not getattr(settings, part):
            yield Finding(
                None, part, "none are configured: there is nothing to scan", f"add {part} to config.yaml"
            )
    for name, account in settings.accounts.items():
        if account.mode == "plain":
            yield Finding(
                None,
                f"accounts.{name}.mode",
                "plain mode does not sign the body: with one push an attacker can forge any scan",
                "choose safe mode in WeChat's console and set it here",
            )
