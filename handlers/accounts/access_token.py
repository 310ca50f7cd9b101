"""An account's access token, for a site's back end that calls WeChat itself (contract.md 9)."""

from aiohttp import web

from handlers.accounts.schemas import AccessToken, RefusedToken
from service.app_keys import ACCESS_TOKENS


async def read(request: web.Request, client: str) -> AccessToken:
    """Return the account's access token, which all programs share."""
    token = await request.app[ACCESS_TOKENS].give(client, request.match_info["account"])
    return AccessToken(access_token=token.token, expires_in=token.lifetime)


async def report(request: web.Request, client: str, refused: RefusedToken) -> None:
    """Have a token that WeChat refused replaced, if it is still the current one."""
    await request.app[ACCESS_TOKENS].report(client, request.match_info["account"], refused.access_token)
