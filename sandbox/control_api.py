"""The control API: a JSON API to the sandbox for the phone page, tests and tools.

Bodies are JSON objects. `user` is a user's id, `account` an appid (default: the first account). Requests that
cause a push also take `mischief` (a value of faults.Fault) and `wait` (default true: respond once the push was
answered or has failed).
Failures are `{"error": text}`: 400 malformed, 403 from a page of another site (callback: from another machine),
404 not found, 409 not possible in the current state.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from sandbox import serializers
from sandbox.access import CONTROL
from sandbox.control_requests import Ask, endpoint
from sandbox.emulator import Sandbox
from sandbox.faults import Fault, MessageFault, PictureFault, SnsFault
from sandbox.pushes import NOISE
from sandbox.serializers import Json
from sandbox.wechat_api import SANDBOX

_Act = Callable[[Sandbox, Ask], Awaitable[Json]]


async def _accounts(sandbox: Sandbox, _ask: Ask) -> Json:
    """GET accounts -> {"accounts":[...]}: all accounts, without their secrets."""
    return {"accounts": [serializers.account(account) for account in sandbox.accounts]}


async def _point(sandbox: Sandbox, ask: Ask) -> Json:
    """POST callback {"url","account"?} -> the account: set the address that pushes are sent to."""
    sandbox.point(ask.text("url"), account=ask.account)
    return _account(sandbox, ask)


async def _verify(sandbox: Sandbox, ask: Ask) -> Json:
    """POST verify {"account"?} -> {"flaw"}: verify the callback address as the console does; null on success."""
    return {"flaw": await sandbox.verify(account=ask.account)}


async def _bind_open_platform(sandbox: Sandbox, ask: Ask) -> Json:
    """POST bind_open_platform {"open_platform","account"?} -> the account, bound to this word and to no other."""
    sandbox.bind_open_platform(ask.text("open_platform"), account=ask.account)
    return _account(sandbox, ask)


async def _unbind_open_platform(sandbox: Sandbox, ask: Ask) -> Json:
    """POST unbind_open_platform {"account"?} -> the account, bound to no Open Platform account."""
    sandbox.unbind_open_platform(account=ask.account)
    return _account(sandbox, ask)


async def _migrate(sandbox: Sandbox, ask: Ask) -> Json:
    """POST migrate {"from","account"?} -> {"followers"}: their number; `from` is the appid of the former account.

    They follow `account` instead. For 15 days its changeopenid tells the new openids of those who followed.
    """
    return {"followers": sandbox.migrate(ask.text("from"), account=ask.account)}


async def _users(sandbox: Sandbox, _ask: Ask) -> Json:
    """GET users -> {"users":[...]}: all users, in the order of their creation."""
    return {"users": [serializers.person(person) for person in sandbox.people.all()]}


async def _create_user(sandbox: Sandbox, ask: Ask) -> Json:
    """POST users {"nickname","language"?,"unionid"?,"account"?} -> the new user, who follows no account.

    `unionid`: theirs in the Open Platform account of `account`; default: derived from their id.
    """
    person = await sandbox.create_user(
        ask.text("nickname"),
        language=ask.maybe("language") or "zh_CN",
        unionid=ask.maybe("unionid"),
        account=ask.account,
    )
    return serializers.person(person)


async def _change_profile(sandbox: Sandbox, ask: Ask) -> Json:
    """POST change_profile {"user","nickname"?,"picture"?} -> the user, with `picture: true` of another picture."""
    picture = ask.flag("picture", default=False)
    changed = sandbox.change_profile(ask.text("user"), nickname=ask.maybe("nickname"), picture=picture)
    return serializers.person(changed)


async def _withhold_unionid(sandbox: Sandbox, ask: Ask) -> Json:
    """POST withhold_unionid {"user","account"?} -> {"unionid"}: null, until disclose_unionid.

    It holds for all accounts that are bound to the same Open Platform account; so do the next two.
    """
    sandbox.withhold_unionid(ask.text("user"), account=ask.account)
    return _unionid(sandbox, ask)


async def _disclose_unionid(sandbox: Sandbox, ask: Ask) -> Json:
    """POST disclose_unionid {"user","account"?} -> {"unionid"}: what was withheld appears."""
    sandbox.disclose_unionid(ask.text("user"), account=ask.account)
    return _unionid(sandbox, ask)


async def _change_unionid(sandbox: Sandbox, ask: Ask) -> Json:
    """POST change_unionid {"user","unionid"?,"account"?} -> {"unionid"}: another one, by default a random one."""
    sandbox.change_unionid(ask.text("user"), ask.maybe("unionid"), account=ask.account)
    return _unionid(sandbox, ask)


async def _codes(sandbox: Sandbox, ask: Ask) -> Json:
    """GET codes[?account=] -> {"codes":[...]}: the QR codes that have not expired, newest first.

    At the end are the own codes of accounts that can make no others.
    """
    return {"codes": [serializers.code(code) for code in sandbox.codes(account=ask.account)]}


async def _scan(sandbox: Sandbox, ask: Ask) -> Json:
    """POST scan {"user","code",...} -> {"outcome","code","delivery"}.

    `code`: id, address, ticket or scene of a QR code. `outcome`: `pushed`, `follow_first`, `opened`, `expired`.
    """
    scan = await sandbox.scan(
        ask.text("user"), ask.text("code"), account=ask.account, fault=ask.fault, wait=ask.wait
    )
    return serializers.scan(scan)


async def _follow(sandbox: Sandbox, ask: Ask) -> Json:
    """POST follow {"user","by_search"?,...} -> the delivery: follow by the scanned QR code, or by search."""
    delivery = await sandbox.follow(
        ask.text("user"),
        account=ask.account,
        by_search=ask.flag("by_search", default=False),
        fault=ask.fault,
        wait=ask.wait,
    )
    return serializers.delivery(delivery)


async def _dismiss(sandbox: Sandbox, ask: Ask) -> Json:
    """POST dismiss {"user","account"?} -> {}: dismiss the prompt to follow."""
    sandbox.dismiss(ask.text("user"), account=ask.account)
    return {}


async def _unfollow(sandbox: Sandbox, ask: Ask) -> Json:
    """POST unfollow {"user",...} -> the delivery."""
    delivery = await sandbox.unfollow(ask.text("user"), account=ask.account, fault=ask.fault, wait=ask.wait)
    return serializers.delivery(delivery)


async def _revoke(sandbox: Sandbox, ask: Ask) -> Json:
    """POST revoke {"user","event",...} -> the delivery.

    `event`: `user_info_modified`, `user_authorization_revoke` or `user_authorization_cancellation`.
    """
    delivery = await sandbox.revoke(
        ask.text("user"), ask.text("event"), account=ask.account, fault=ask.fault, wait=ask.wait
    )
    return serializers.delivery(delivery)


async def _say(sandbox: Sandbox, ask: Ask) -> Json:
    """POST say {"user","text",...} -> the delivery of a typed message."""
    delivery = await sandbox.say(
        ask.text("user"), ask.text("text"), account=ask.account, fault=ask.fault, wait=ask.wait
    )
    return serializers.delivery(delivery)


async def _tap(sandbox: Sandbox, ask: Ask) -> Json:
    """POST tap {"user","link",...} -> the delivery of the text that the link sends.

    `link`: id, content or label; of several links the newest is tapped.
    """
    delivery = await sandbox.tap(
        ask.text("user"), ask.text("link"), account=ask.account, fault=ask.fault, wait=ask.wait
    )
    return serializers.delivery(delivery)


async def _click(sandbox: Sandbox, ask: Ask) -> Json:
    """POST click {"user","key","account"?,"wait"?} -> the delivery of a tap on a menu entry with a key."""
    delivery = await sandbox.click(ask.text("user"), ask.text("key"), account=ask.account, wait=ask.wait)
    return serializers.delivery(delivery)


async def _view(sandbox: Sandbox, ask: Ask) -> Json:
    """POST view {"user","url","account"?,"wait"?} -> the delivery of a tap on a menu entry with a link."""
    delivery = await sandbox.view(ask.text("user"), ask.text("url"), account=ask.account, wait=ask.wait)
    return serializers.delivery(delivery)


async def _noise(sandbox: Sandbox, ask: Ask) -> Json:
    """POST noise {"user","kind","account"?,"wait"?} -> the delivery of a push that is unrelated to QR codes."""
    delivery = await sandbox.noise(ask.text("user"), ask.text("kind"), account=ask.account, wait=ask.wait)
    return serializers.delivery(delivery)


async def _chat(sandbox: Sandbox, ask: Ask) -> Json:
    """GET chat?user=[&account=] -> {"messages":[...]}: oldest first."""
    messages = await sandbox.chat(ask.text("user"), account=ask.account)
    return {"messages": [serializers.message(message) for message in messages]}


async def _deliveries(sandbox: Sandbox, ask: Ask) -> Json:
    """GET deliveries[?user=][&account=] -> {"deliveries":[...]}: pushes and their answers, newest first."""
    user, account = ask.maybe("user"), ask.account
    wanted = (
        delivery
        for delivery in reversed(sandbox.deliveries)
        if user in (None, delivery.contact.person.id) and account in (None, delivery.account.appid)
    )
    return {"deliveries": [serializers.delivery(delivery) for delivery in wanted]}


async def _phone(sandbox: Sandbox, ask: Ask) -> Json:
    """GET phone?user=[&account=] -> the user's contact with the account.

    `messages`: oldest first. `unionid`: what user/info tells of a follower, or null.
    """
    contact = sandbox.contact(ask.text("user"), account=ask.account)
    messages = [serializers.message(message) for message in contact.messages]
    return {**serializers.contact(contact), **_unionid(sandbox, ask), "messages": messages}


async def _message_fault(sandbox: Sandbox, ask: Ask) -> Json:
    """POST message_fault {"fault"?,"account"?} -> {"fault"}: switch on a value of faults.MessageFault, or off."""
    fault = sandbox.state(ask.account).message_fault = ask.word("fault", MessageFault)
    return {"fault": fault}


async def _tricks(_sandbox: Sandbox, _ask: Ask) -> Json:
    """GET tricks -> {"mischief","noise","sns","picture","message"}: `mischief`, noise, and faults."""
    faults = {"sns": list(SnsFault), "picture": list(PictureFault), "message": list(MessageFault)}
    return {"mischief": list(Fault), "noise": list(NOISE), **faults}


def _account(sandbox: Sandbox, ask: Ask) -> Json:
    return serializers.account(sandbox.state(ask.account).account)


def _unionid(sandbox: Sandbox, ask: Ask) -> Json:
    return {"unionid": sandbox.state(ask.account).unionid(sandbox.people.get(ask.text("user")))}


_LOCAL_ONLY: Final = frozenset({_point})
"""The sandbox posts to the callback address and shows the answers (`deliveries`): a caller from another machine
could use that to read what only this machine can reach."""


_ENDPOINTS: Final[tuple[tuple[str, str, _Act], ...]] = (
    ("GET", "accounts", _accounts),
    ("GET", "users", _users),
    ("GET", "codes", _codes),
    ("GET", "chat", _chat),
    ("GET", "deliveries", _deliveries),
    ("GET", "phone", _phone),
    ("GET", "tricks", _tricks),
    ("POST", "users", _create_user),
    ("POST", "callback", _point),
    ("POST", "verify", _verify),
    ("POST", "bind_open_platform", _bind_open_platform),
    ("POST", "unbind_open_platform", _unbind_open_platform),
    ("POST", "migrate", _migrate),
    ("POST", "change_profile", _change_profile),
    ("POST", "withhold_unionid", _withhold_unionid),
    ("POST", "disclose_unionid", _disclose_unionid),
    ("POST", "change_unionid", _change_unionid),
    ("POST", "message_fault", _message_fault),
    ("POST", "scan", _scan),
    ("POST", "follow", _follow),
    ("POST", "dismiss", _dismiss),
    ("POST", "unfollow", _unfollow),
    ("POST", "revoke", _revoke),
    ("POST", "say", _say),
    ("POST", "tap", _tap),
    ("POST", "click", _click),
    ("POST", "view", _view),
    ("POST", "noise", _noise),
)


def add_routes(app: web.Application) -> None:
    """Add the control API under /sandbox/api/."""
    for method, name, act in _ENDPOINTS:
        app.router.add_route(method, CONTROL + name, endpoint(SANDBOX, act, local=act in _LOCAL_ONLY))
