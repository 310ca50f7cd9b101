"""Counts wrong passwords and wrong signatures by address; over the limit, the address is refused for the minute.

A configured password may be guessable, so over the limit even the right one is refused. Secrets of tickets and
sessions, login codes and portal links have 192 random bits: a wrong one is refused but not counted, or a visitor
could lock out the site's back end at the same address by sending invented ones. WeChat's pushes may arrive through
a proxy that is not configured as trusted, so a push with a signed query is always read.
"""

from aiohttp import web

from handlers.http import authentication
from models.errors import BadSignature, RateLimited, WrongCredentials
from models.ip_address import shares
from service.app_keys import AUDIT, METRICS, RATE_LIMITS, SETTINGS


async def counted(request: web.Request, error: Exception) -> Exception:
    """Count *error* if a wrong password or signature caused it; return the error to answer with.

    Also records an exceeded limit, see `note`.
    """
    limits = request.app[RATE_LIMITS]
    address = authentication.throttle_address(request, request.app[SETTINGS].server)
    if address and isinstance(error, WrongCredentials):
        await limits.record_failure(error.client, address)
    if address and isinstance(error, BadSignature):
        try:
            limits.check_forgers(address)
            await limits.record_forgery(address)
        except RateLimited as refusal:
            error = refusal
    if isinstance(error, RateLimited):
        note(request.app, error, authentication.address(request))
    return error


def note(app: web.Application, error: RateLimited, address: str) -> None:
    """Count a refusal of *address* in the metrics, and write it to the audit log once a minute."""
    app[METRICS].limited.labels(error.limit).inc()
    # The network that the limits count, or the addresses of one IPv6 subscriber would fill the audit log.
    whose, _ = shares(address)[0]
    app[AUDIT].limit_hit(
        error.limit, address=whose, client=error.client, account=error.account, user_id=error.user_id
    )
