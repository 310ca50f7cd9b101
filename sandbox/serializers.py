"""The JSON of the control API. Pure."""

from typing import Final

from sandbox.account import OfficialAccount
from sandbox.chat import Message
from sandbox.codes import Code
from sandbox.emulator import Scan
from sandbox.people import Contact, Person
from sandbox.push_delivery import Delivery

Json = dict[str, object]


def account(value: OfficialAccount) -> Json:
    """Return an account without its secrets, because the page reads it."""
    names: Final = ("appid", "name", "gh_id", "mode", "format", "callback_url", "open_platform")
    return {name: getattr(value, name) for name in names}


def person(value: Person) -> Json:
    number = value.phone_number
    return {"id": value.id, "nickname": value.nickname, "language": value.language, "phone_number": number}


def code(value: Code) -> Json:
    """`expires_at` is null for a permanent QR code; all times are seconds since 1970."""
    expires_at = None if value.lifetime is None else value.created_at + value.lifetime
    return {
        "id": value.id,
        "appid": value.appid,
        "ticket": value.ticket,
        "url": value.url,
        "scene": value.scene,
        "created_at": value.created_at,
        "expires_at": expires_at,
    }


def message(value: Message) -> Json:
    """`pieces` are the parts of the text: `href` is a link to a page, `says` the text that a tap on `id` sends."""
    pieces = [
        {"id": f"{value.id}.{number}", "text": piece.text, "href": piece.href, "says": piece.says}
        for number, piece in enumerate(value.pieces)
    ]
    return {"id": value.id, "at": value.at, "side": value.side, "text": value.text, "pieces": pieces}


def delivery(value: Delivery) -> Json:
    """A push and each answer; `state` as in push_delivery.State, `text` is what the person wrote."""
    attempts = [
        {"at": tried.at, "status": tried.status, "body": tried.body, "reply": tried.reply, "flaw": tried.flaw}
        for tried in value.attempts
    ]
    return {
        "id": value.id,
        "appid": value.account.appid,
        "user": value.contact.person.id,
        "openid": value.contact.openid,
        "event": value.event,
        "text": value.fields.get("Content"),
        "mischief": value.fault,
        "sent": value.sent,
        "state": value.state,
        "reply": value.reply,
        "flaw": value.flaw,
        "attempts": attempts,
    }


def scan(value: Scan) -> Json:
    return {
        "outcome": value.outcome,
        "code": code(value.code),
        "delivery": delivery(value.delivery) if value.delivery else None,
    }


def contact(value: Contact) -> Json:
    """`pending` is the QR code that was scanned when the user must follow the account first."""
    return {
        "user": value.person.id,
        "appid": value.appid,
        "openid": value.openid,
        "following": value.following,
        "pending": code(value.pending) if value.pending else None,
    }
