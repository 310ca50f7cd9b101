"""Checks the configuration."""

from collections.abc import AsyncIterator

from service.config.review import cautions
from service.config.settings import Settings
from service.crypto.secret_key_file import resolve_secret_keys
from service.doctor.finding import Finding


async def check_configuration(settings: Settings) -> AsyncIterator[Finding]:
    resolve_secret_keys(settings)
    yield Finding(True, "configuration", "good")
    if not (settings.accounts or settings.apps):
        message = "none is configured, nor an app, so no person can sign in"
        yield Finding(None, "accounts", message, "add an account or an app")
    if not settings.clients:
        yield Finding(None, "clients", "none is configured, so no site can use the service", "add a client")
    for caution in cautions(settings):
        yield Finding(None, caution.path, caution.message, caution.remedy)
