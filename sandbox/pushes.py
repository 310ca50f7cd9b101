"""The fields of each kind of push (wechat-protocol.md 3.3). Pure."""

from typing import Final

from sandbox.account import OfficialAccount
from sandbox.codes import Code
from sandbox.people import Contact
from sandbox.push_format import Fields


def addressed(fields: Fields, contact: Contact, account: OfficialAccount, *, now: float) -> Fields:
    """Return the fields after those with the receiver, the sender and the time. CreateTime is in whole seconds."""
    return {
        "ToUserName": account.gh_id,
        "FromUserName": contact.openid,
        "CreateTime": int(now),
        **fields,
    }


def _event(name: str, key: str, **more: str | int) -> Fields:
    return {"MsgType": "event", "Event": name, "EventKey": key, **more}


def scan(code: Code) -> Fields:
    """A follower scanned the QR code; EventKey is the scene without a prefix."""
    return _event("SCAN", code.scene, Ticket=code.ticket)


def follow(code: Code | None) -> Fields:
    """A person followed, by a QR code if given. Without one, WeChat was observed to send an empty EventKey."""
    if code is None:
        return _event("subscribe", "")
    return _event("subscribe", f"qrscene_{code.scene}", Ticket=code.ticket)


def unfollow() -> Fields:
    return _event("unsubscribe", "")


def revocation(event: str, contact: Contact) -> Fields:
    """The person changed what they authorised on the account's web pages; the push names them in OpenID."""
    return {
        "MsgType": "event",
        "Event": event,
        "OpenID": contact.openid,
        "AppID": contact.appid,
        "RevokeInfo": "1",
    }


def click(key: str) -> Fields:
    return _event("CLICK", key)


def view(url: str) -> Fields:
    return _event("VIEW", url, MenuId=439342175)


def text(content: str, *, msg_id: int, menu_id: str | None = None) -> Fields:
    """The person typed `content`, or tapped the link `menu_id` that sends it (wechat-protocol.md 3.6)."""
    tapped = {} if menu_id is None else {"bizmsgmenuid": menu_id}
    return {"MsgType": "text", "Content": content, "MsgId": msg_id, **tapped}


REVOCATIONS: Final = (
    "user_info_modified",
    "user_authorization_revoke",
    CLOSED := "user_authorization_cancellation",
)
"""Events about what a person authorised; with the last, they closed their WeChat (wechat-protocol.md 3.3)."""

NOISE: Final[dict[str, Fields]] = {
    "trade_follow": _event("subscribe", "last_trade_no_4008450740201411110005820873"),
    "trade_unfollow": _event("unsubscribe", "last_trade_no_4008450740201411110005820873"),
    "bare_follow": {"MsgType": "event", "Event": "subscribe"},
    "lowercase_scan": _event("scan", "not_a_scene_of_yours", Ticket="gQnoticket"),
    "template_sent": _event("TEMPLATESENDJOBFINISH", "", MsgID=200163836, Status="success"),
    "location": {"MsgType": "event", "Event": "LOCATION", "Latitude": "23.137466", "Longitude": "113.352425"},
    "image": {
        "MsgType": "image",
        "PicUrl": "http://mmbiz.qpic.cn/x",
        "MediaId": "m",
        "MsgId": 6054768590064713728,
    },
}
"""Pushes that are unrelated to QR codes (wechat-protocol.md 9)."""
