"""WeChat's callback: verifies the URL, and processes a push and answers within five seconds (contract.md 6)."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from handlers.http import authentication
from handlers.http.middleware import COMMON
from handlers.http.rendered import DateHeader, Rendered, lines
from handlers.http.request_body import refuse_compressed
from handlers.http.responses import NO_STORE
from models.errors import BadSignature, Malformed, NotFound, RateLimited, StoreUnavailable, UnreadablePush
from models.events import Other, Push, Revoked, Scan, Subscribed, TextMessage, Unsubscribed
from service.app_keys import ACCOUNTS, CLOCK, LAST_PUSHES, METRICS, PUSH_DISPATCHER, RATE_LIMITS, SETTINGS
from service.observability.logs import REQUEST_ID
from service.pushes.last_pushes import Arrival
from service.pushes.other_chat import Pushed
from service.wechat.push_account import Delivery, Mode, PushAccount
from service.wechat.replies import SUCCESS, Answer

log = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 4.2
"""Seconds. WeChat's timeout is five (wechat-protocol.md 3.4), and the answer needs time on the network."""
_KINDS: Final[Mapping[type[Push], str]] = {
    Scan: "scan",
    Subscribed: "followed",
    Unsubscribed: "unfollowed",
    Revoked: "revoked",
    TextMessage: "said",
    Other: "other",
}
"""The label `event` of the metric `scanbind_pushes_total`."""
_UNREADABLE: Final = "unreadable"
_DATE: Final = DateHeader()
_BODY: Final = {"Content-Type": "%b; charset=utf-8", "Content-Length": "%d", "Date": "%b"}
_HEAD: Final = b"HTTP/1.1 200 OK\r\n%b\r\n" % lines(_BODY | COMMON | {"X-Request-Id": "%b"} | NO_STORE)
_FAULTS: Final[Mapping[str, str]] = {
    "signature": "no configured token signed it; compare accounts.NAME.token with WeChat's console",
    "clock": "its timestamp differs from this machine's clock by more than accounts.NAME.max_skew",
    "mode": "{console}; accounts.NAME.mode is {mode}: set both to the same, safe unless it is a test account",
    "envelope": "it cannot be decrypted; compare accounts.NAME.aes_key with WeChat's console",
    "appid": "it is for another appid; compare accounts.NAME.appid with WeChat's console",
    "addressee": "it is for another account; compare accounts.NAME.gh_id with WeChat's console",
}
"""What a fault means to the operator. Any other fault is the part of the push that cannot be read."""
_CONSOLE: Final[Mapping[str, str]] = {
    Mode.PLAIN: "it is not encrypted: WeChat's console has plain mode (明文模式)",
    Mode.COMPATIBLE: "it is encrypted and plain at once: WeChat's console has compatible mode (兼容模式)",
    Mode.SAFE: "it is encrypted: WeChat's console has safe mode (安全模式)",
}


async def verify(request: web.Request) -> web.Response:
    """Answer WeChat's URL verification with the echostr."""
    account = _account(request)
    try:
        echo = account.verify(request.query)
    except (BadSignature, Malformed) as e:
        _log_refusal(account, e)
        raise
    now = request.app[CLOCK]()
    if account.has_signed_query(request.query, now=now):  # an old one may be from the log of a proxy
        request.app[LAST_PUSHES].saw(account.name, now, Arrival.VERIFICATION)
    return web.Response(text=echo, content_type="text/plain")


async def receive(request: web.Request) -> web.StreamResponse:
    """Process one push; acknowledge it only once its effect is committed."""
    account = _account(request)
    refuse_compressed(request)
    _refuse_forgers(request, account)
    try:
        async with asyncio.timeout(ANSWER_WITHIN) as limit:
            body = await request.read()
            delivery = _opened(request, account, body)
            request.app[LAST_PUSHES].saw(account.name, request.app[CLOCK]())
            kind = _KINDS[type(delivery.event)] if delivery else _UNREADABLE
            request.app[METRICS].pushes.labels(account.name, kind).inc()
            if delivery is None:
                return _response(request, SUCCESS)
            pushed = Pushed(delivery.message, until=limit.when() or 0.0)
            reply = await request.app[PUSH_DISPATCHER].handle(account.name, delivery.event, pushed)
    except TimeoutError as e:
        raise StoreUnavailable("the push was not processed in time") from e
    return _response(request, account.reply(delivery, reply, now=request.app[CLOCK]()))


def _opened(request: web.Request, account: PushAccount, body: bytes) -> Delivery | None:
    """Return the verified push; None if it is WeChat's own, but cannot be read."""
    try:
        return account.open(request.query, body, now=request.app[CLOCK]())
    except (BadSignature, Malformed) as e:
        _log_refusal(account, e)
        if isinstance(e, UnreadablePush):
            return None
        raise


def _response(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Return *answer* as a response; rendered if possible, by which a whole push takes a tenth less time."""
    if Rendered.fits(request):
        head = answer.content_type.encode(), len(answer.body), _DATE.now(), (REQUEST_ID.get() or "").encode()
        return Rendered(_HEAD % head + answer.body)
    return web.Response(body=answer.body, content_type=answer.content_type, charset="utf-8")


def _refuse_forgers(request: web.Request, account: PushAccount) -> None:
    """Refuse an address that sent too many wrong signatures, unless the query is signed.

    Raises:
        RateLimited: it sent too many.
    """
    if address := authentication.throttle_address(request, request.app[SETTINGS].server):
        try:
            request.app[RATE_LIMITS].check_forgers(address)
        except RateLimited:
            if not account.has_signed_query(request.query, now=request.app[CLOCK]()):
                raise


def _log_refusal(account: PushAccount, error: BadSignature | Malformed) -> None:
    """Log why a request is refused, or acknowledged unread; its sender does not get the reason."""
    done = "acknowledged" if isinstance(error, UnreadablePush) else "refused"
    why = _FAULTS.get(error.fault, "this part of it cannot be read").replace("NAME", account.name)
    log.log(
        # Only WeChat can cause a warning: in the wrong mode every push is refused, but its query is signed.
        logging.WARNING if done == "acknowledged" or error.fault == "mode" else logging.INFO,
        "callback: %s a request for account %s: %s: %s",
        done,
        account.name,
        error.fault,
        why.format(console=_CONSOLE.get(error.console), mode=account.mode),
        extra={"account": account.name, "fault": error.fault},
    )


def _account(request: web.Request) -> PushAccount:
    account = request.app[ACCOUNTS].get(request.match_info["account"])
    if account is None:
        raise NotFound("no such account")
    return account
