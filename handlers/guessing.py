"""Wrong guesses are counted by address; who has made too many is refused until the minute is over.

A password may be guessed, so then not even the right one is taken from there. Whoever holds a ticket's or a
session's secret goes on: those have 192 bits, and neighbours share an address.
"""

from typing import Final

from aiohttp import web

from handlers import auth
from models.errors import RateLimited, SessionNotFound, TicketForgotten, TicketNotFound, WrongCredentials
from service.keys import AUDIT, LIMITS, METRICS
from service.limits import shares

_GUESSES: Final = (WrongCredentials, TicketNotFound, SessionNotFound)


def listen(request: web.Request) -> None:
    """Return if the caller may prove itself by a password, or does not try to.

    Raises:
        RateLimited: it has guessed wrong too often.
    """
    if request.app[LIMITS].suspicious and request.headers.get("Authorization", "").lower().startswith("basic"):
        _listen(request)


async def considered(request: web.Request, error: Exception) -> Exception:
    """Count *error* if it is a wrong guess, or the refusal of too much; return the error to answer with."""
    if isinstance(error, _GUESSES) and not isinstance(error, TicketForgotten):
        try:
            await wrong(request)
        except RateLimited as refusal:
            error = refusal
    if isinstance(error, RateLimited):
        request.app[METRICS].limited.labels(error.limit).inc()
        # As the limits see it, or one subscriber's addresses would fill the record.
        whose, _ = next(shares(auth.address(request)))
        request.app[AUDIT].limit_hit(
            error.limit, address=whose, client=error.client, account=error.account, user_id=error.user_id
        )
    return error


async def wrong(request: web.Request) -> None:
    """Count a wrong guess of the caller.

    Raises:
        RateLimited: it has made too many before.
    """
    if address := auth.stranger(request):
        _listen(request)
        await request.app[LIMITS].failed(address)


def _listen(request: web.Request) -> None:
    if address := auth.stranger(request):
        request.app[LIMITS].listen(address)
