"""Takes the scans and answers of mini programs, and serves the pictures of their codes (contract.md 8.4)."""

from aiohttp import web

from handlers.http import authentication, pictures
from handlers.http.responses import seconds_left
from handlers.methods.schemas import AnswerRequest, Asked, ScanRequest, Told
from models.errors import NotFound
from models.picture import media_type
from models.scene import read_ticket
from service.app_keys import CLOCK, CODE_PICTURES, KEYRING, MINI_PROGRAM_SCANS, RATE_LIMITS
from service.crypto.keyring import Capability


async def scan(request: web.Request, wanted: ScanRequest) -> Asked:
    """Tell the mini program what to ask the person who scanned."""
    await request.app[RATE_LIMITS].visit(authentication.address(request))
    asking = await request.app[MINI_PROGRAM_SCANS].scan(
        request.match_info["app"], scene=wanted.scene, js_code=wanted.js_code
    )
    context, requester = asking.context, asking.requester
    head = context.claim.head
    return Asked(
        site=context.client.name[context.lang],
        purpose=head.purpose,
        account_name=requester.account_name,
        browser=requester.browser,
        address=requester.address,
        confirm=context.confirm,
        question=asking.question,
        options=list(asking.options),
        lang=context.lang,
        reply_token=asking.token,
        expires_in=seconds_left(head.expires_at, request.app[CLOCK]()),
    )


async def answer(request: web.Request, wanted: AnswerRequest) -> Told:
    """Apply the person's answer, and tell how the ticket ended."""
    await request.app[RATE_LIMITS].visit(authentication.address(request))
    ended = await request.app[MINI_PROGRAM_SCANS].answer(
        request.match_info["app"], token=wanted.reply_token, answer=wanted.answer
    )
    return Told(status=ended.end.status, outcome=ended.end.outcome, reason=ended.end.reason, text=ended.text)


async def picture(request: web.Request) -> web.Response:
    """Serve the picture that WeChat drew, until the ticket expires or Redis loses it.

    It has one size.
    """
    permitted = request.app[KEYRING].permitted(Capability.CODE_PICTURE, request.match_info["capability"])
    head = read_ticket(permitted[0]) if permitted else None
    left = (head.expires_at - request.app[CLOCK]()).total_seconds() if head else 0
    found = (
        await request.app[CODE_PICTURES].of(head.ticket, permitted[1]) if permitted and head and left > 0 else None
    )
    kind = media_type(found) if found else None
    if found is None or kind is None:
        raise NotFound("unknown or expired code")
    return pictures.picture(request, found, kind, caching=pictures.until(left))
