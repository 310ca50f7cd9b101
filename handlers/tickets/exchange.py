"""A site's back end turns a code into who logged in (CONTRACT 4)."""

from typing import Any

from aiohttp import web

from handlers.http import authentication, request_body
from handlers.http.responses import json_answer, moment
from models.ticket import REGISTRATION_LIVES, Outcome
from service.app_keys import CODE_EXCHANGE, SETTINGS
from service.tickets.code_exchange import Redeemed


async def exchange(request: web.Request) -> web.Response:
    """Give out what a code stands for, exactly once."""
    client = authentication.require_client(request)
    wanted = await request_body.read(request, request_body.EXCHANGE)
    redeemed = await request.app[CODE_EXCHANGE].exchange(client, wanted.code)
    account = request.app[SETTINGS].accounts[redeemed.follower.account]
    return json_answer({**_outcome(redeemed), **_person(redeemed), "appid": account.appid})


def _outcome(redeemed: Redeemed) -> dict[str, Any]:
    if redeemed.ending.outcome is Outcome.LOGIN and redeemed.binding:
        binding = redeemed.binding
        return {"outcome": "login", "user_id": binding.user_id, "bound_at": moment(binding.bound_at)}
    expires_in = int(REGISTRATION_LIVES.total_seconds())
    return {"outcome": "register", "registration": redeemed.registration, "expires_in": expires_in}


def _person(redeemed: Redeemed) -> dict[str, Any]:
    return {
        "openid": redeemed.follower.openid,
        "unionid": redeemed.follower.unionid,
        "account": redeemed.follower.account,
        "subscribed": redeemed.follower.subscribed,
        "state": redeemed.ending.state,
        "via": redeemed.ending.via,
    }
