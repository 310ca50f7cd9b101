"""A site's back end binds with a registration, looks, and disconnects (CONTRACT 5)."""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from aiohttp import web

from handlers.http import authentication, request_body
from handlers.http.responses import NO_STORE, json_answer, moment
from models.binding import Binding, UserId
from models.errors import BindingNotFound, InvalidRequest
from service.app_keys import BINDINGS, CLOCK, CODE_EXCHANGE, SETTINGS

_NONE: Final = "this user has no such binding"


async def create(request: web.Request) -> web.Response:
    """Bind the WeChat of a registration to a user: 201, or 200 when that was done before."""
    client = authentication.require_client(request)
    wanted = await request_body.read(request, request_body.BINDING)
    code_exchange = request.app[CODE_EXCHANGE]
    binding, fresh = await code_exchange.register(client, UserId(wanted.user_id), wanted.registration)
    return json_answer({"user_id": binding.user_id, **_shown(request, binding)}, status=201 if fresh else 200)


async def read(request: web.Request) -> web.Response:
    """List a user's bindings; none is an empty list."""
    client, user_id = authentication.require_client(request), _user_id(request)
    bindings = await request.app[BINDINGS].of_user(client, user_id)
    return json_answer({"user_id": user_id, "bindings": [_shown(request, binding) for binding in bindings]})


async def delete(request: web.Request) -> web.Response:
    """Disconnect a user from one account, or from all."""
    client, user_id = authentication.require_client(request), _user_id(request)
    if strangers := set(request.query) - {"account"}:
        raise InvalidRequest(f"unknown query parameter {min(strangers)[:32]!r}: only account is known")
    account = request.query.get("account")
    if not request_body.could_name(account or ""):
        raise BindingNotFound(_NONE)
    removed = await request.app[BINDINGS].disconnect(client, user_id, account=account, now=request.app[CLOCK]())
    if not removed:
        raise BindingNotFound(_NONE)
    return web.Response(status=204, headers=NO_STORE)


def _user_id(request: web.Request) -> UserId:
    try:  # aiohttp would let bytes that are no text stand for the id that is written like them
        text = unquote_to_bytes(request.rel_url.raw_parts[-1]).decode()
    except UnicodeDecodeError as e:
        raise InvalidRequest("user_id: must be UTF-8") from e
    return UserId(request_body.check(request_body.USER_ID, text, name="user_id"))


def _shown(request: web.Request, binding: Binding) -> dict[str, Any]:
    account = request.app[SETTINGS].accounts.get(binding.account)
    return {
        "account": binding.account,
        "appid": account.appid if account else None,
        "openid": binding.openid,
        "unionid": binding.unionid,
        "subscribed": binding.subscribed,
        "bound_at": moment(binding.bound_at),
        "last_login_at": moment(binding.last_login_at),
        "consent": binding.consent,
    }
