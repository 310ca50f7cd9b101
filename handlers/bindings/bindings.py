"""A user's bindings, for a site's back end: bind with a registration, list, disconnect (contract.md 5)."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from aiohttp import web

from handlers.bindings import schemas
from handlers.http import request_body
from handlers.http.operation import Created
from handlers.http.profiles import shown_profiles
from handlers.http.schemas import USER_ID, Profile
from models.binding import Binding, UserId
from models.errors import BindingNotFound, InvalidRequest
from models.method import KINDS
from models.wecom import names_of
from service.app_keys import BINDINGS, CLOCK, CODE_EXCHANGE

_NO_BINDING: Final = "this user has no such binding"


async def create(
    request: web.Request, client: str, wanted: schemas.BindingRequest
) -> schemas.BindingMade | Created:
    """Bind the WeChat of a registration to a user: 201, or 200 when the same call is repeated."""
    binding, fresh = await request.app[CODE_EXCHANGE].register(client, UserId(wanted.user_id), wanted.registration)
    [shown] = await _shown(request, client, [binding])
    made = schemas.BindingMade(user_id=binding.user_id, **dict(shown))
    return Created(made) if fresh else made


async def read(request: web.Request, client: str) -> schemas.Bindings:
    """List a user's bindings; the list may be empty."""
    user_id = _user_id(request)
    bindings = await request.app[BINDINGS].of_user(client, user_id)
    return schemas.Bindings(user_id=user_id, bindings=await _shown(request, client, bindings))


async def delete(request: web.Request, client: str) -> None:
    """Disconnect a user from one account, or from all."""
    user_id = _user_id(request)
    if unknown := set(request.query) - {"account"}:
        raise InvalidRequest(f"unknown query parameter {min(unknown)[:32]!r}: only account is allowed")
    account = request.query.get("account")
    if not request_body.could_name(account or ""):
        raise BindingNotFound(_NO_BINDING)
    removed = await request.app[BINDINGS].disconnect(client, user_id, account=account, now=request.app[CLOCK]())
    if not removed:
        raise BindingNotFound(_NO_BINDING)


def _user_id(request: web.Request) -> UserId:
    try:  # aiohttp would decode bytes that are not UTF-8 to the text of another id
        text = unquote_to_bytes(request.rel_url.raw_parts[-1]).decode()
    except UnicodeDecodeError as e:
        raise InvalidRequest("user_id: must be UTF-8") from e
    return UserId(request_body.check(USER_ID, text, name="user_id"))


async def _shown(request: web.Request, client: str, bindings: Sequence[Binding]) -> list[schemas.Binding]:
    found = await shown_profiles(request, client, [(one.account, one.openid) for one in bindings])
    return [_binding(one, found.get((one.account, one.openid))) for one in bindings]


def _binding(binding: Binding, profile: Profile | None) -> schemas.Binding:
    names = names_of(binding.openid, binding.appid)
    return schemas.Binding(
        method=binding.method,
        kind=KINDS[binding.method],
        account=binding.account,
        appid=binding.appid,
        openid=names.openid,
        unionid=binding.unionid,
        userid=names.userid,
        profile=profile,
        subscribed=binding.subscribed,
        bound_at=binding.bound_at,
        last_login_at=binding.last_login_at,
        consent=binding.consent,
    )
