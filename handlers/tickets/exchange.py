"""Exchanges a one-time code for the person who logged in (contract.md 4)."""

from typing import Any

from aiohttp import web

from handlers.http.profiles import shown_profiles
from handlers.tickets import schemas
from handlers.tickets.schemas import BoundByExchange, ExchangeRequest, LoggedIn, Registers
from models.errors import InvalidCode
from models.method import KINDS
from models.ticket import REGISTRATION_LIVES, Outcome
from models.wecom import names_of
from service.app_keys import CODE_EXCHANGE


async def exchange(request: web.Request, client: str, wanted: ExchangeRequest) -> schemas.Redeemed:
    """Exchange a one-time code, exactly once, for a user or a registration."""
    redeemed = await request.app[CODE_EXCHANGE].exchange(client, wanted.code)
    follower, ending = redeemed.follower, redeemed.ending
    names, who = names_of(follower.openid, redeemed.appid), (follower.account, follower.openid)
    person: dict[str, Any] = {
        "method": redeemed.method,
        "kind": KINDS[redeemed.method],
        "account": follower.account,
        "appid": redeemed.appid,
        "openid": names.openid,
        "unionid": follower.unionid,
        "userid": names.userid,
        "profile": (await shown_profiles(request, client, [who])).get(who),
        "subscribed": follower.subscribed,
        "state": ending.state,
        "via": ending.via,
    }
    if (binding := redeemed.binding) is not None:
        person |= {"user_id": binding.user_id, "bound_at": binding.bound_at}
        match ending.outcome:
            case Outcome.BOUND | Outcome.ALREADY_BOUND as outcome:
                return BoundByExchange(outcome=outcome, **person)
        return LoggedIn(outcome="login", **person)
    if redeemed.registration is None:
        raise InvalidCode
    expires_in = int(REGISTRATION_LIVES.total_seconds())
    return Registers(outcome="register", registration=redeemed.registration, expires_in=expires_in, **person)
