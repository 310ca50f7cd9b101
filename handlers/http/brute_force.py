"""Wrong passwords and wrong signatures are counted by address; after too many, the minute must be waited for.

A configuration may hold a password that can be guessed, so then not even the right one is taken. Secrets of
tickets and sessions, codes and portal links have 192 random bits: a wrong one is refused and not counted, or a
visitor could use up with invented ones what the site's back end at the same address needs. WeChat's pushes may
come by the address of a proxy that is not configured as trusted, so a push whose query is signed is always
read.
"""

from aiohttp import web

from handlers.http import authentication
from models.errors import BadSignature, RateLimited, WrongCredentials
from models.ip_address import shares
from service.app_keys import AUDIT, METRICS, RATE_LIMITS


async def counted(request: web.Request, error: Exception) -> Exception:
    """Count *error* if a wrong password or signature caused it; return the error to answer with.

    That a limit was exceeded is recorded.
    """
    limits, address = request.app[RATE_LIMITS], authentication.throttle_address(request)
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
    """Count a refusal of *address*, and note it in the audit log once a minute."""
    app[METRICS].limited.labels(error.limit).inc()
    # As the limits see it, or one subscriber's addresses would fill the record.
    whose, _ = next(shares(address))
    app[AUDIT].limit_hit(
        error.limit, address=whose, client=error.client, account=error.account, user_id=error.user_id
    )
