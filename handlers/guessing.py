"""Wrong guesses are counted by address; who has made too many is not listened to until the minute is over."""

from typing import Final

from aiohttp import web

from handlers import auth
from models.errors import RateLimited, SessionNotFound, TicketForgotten, TicketNotFound, WrongCredentials
from service.keys import AUDIT, LIMITS, METRICS
from service.limits import shares

LINK: Final = "/portal/open/{token}"
"""The one address that proves something by itself."""
_GUESSES: Final = (WrongCredentials, TicketNotFound, SessionNotFound)


def listen(request: web.Request, route: str) -> None:
    """Return if the caller may prove itself, or does not try to.

    Raises:
        RateLimited: it has guessed wrong too often; even a right guess is refused now.
    """
    limits = request.app[LIMITS]
    if not limits.suspicious:
        return
    cookie = any(auth.PORTAL_COOKIE in name for name in request.cookies)
    proves = "Authorization" in request.headers or cookie or route == LINK
    if proves and (address := auth.stranger(request)):
        limits.listen(address)


async def consider(request: web.Request, error: Exception) -> None:
    """Count *error* if it is a wrong guess, or the refusal of somebody who asks too often."""
    if isinstance(error, RateLimited):
        request.app[METRICS].limited.labels(error.limit).inc()
        # As the limits see it, or one subscriber's addresses would fill the record.
        whose, _ = next(shares(auth.address(request)))
        request.app[AUDIT].limit_hit(
            error.limit, address=whose, client=error.client, account=error.account, user_id=error.user_id
        )
    elif isinstance(error, _GUESSES) and not isinstance(error, TicketForgotten):
        await wrong(request)


async def wrong(request: web.Request) -> None:
    """Count a wrong guess of the caller."""
    if address := auth.stranger(request):
        await request.app[LIMITS].failed(address)
