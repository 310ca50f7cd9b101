"""What each push says, but for its sender and time (wechat-protocol.md 3.3). Pure."""

from typing import Final

from sandbox.account import OfficialAccount
from sandbox.codes import Code
from sandbox.people import Contact
from sandbox.push_format import Fields


def addressed(fields: Fields, contact: Contact, account: OfficialAccount, *, now: float) -> Fields:
    """Return the fields behind the four every push begins with. CreateTime counts whole seconds."""
    return {
        "ToUserName": account.gh_id,
        "FromUserName": contact.openid,
        "CreateTime": int(now),
        **fields,
    }


def _event(name: str, key: str, **more: str | int) -> Fields:
    return {"MsgType": "event", "Event": name, "EventKey": key, **more}


def scan(code: Code) -> Fields:
    """A follower scanned the code: the bare scene."""
    return _event("SCAN", code.scene, Ticket=code.ticket)


def follow(code: Code | None) -> Fields:
    """Somebody followed; by a code when there is one. Live pushes without one carry an empty EventKey."""
    if code is None:
        return _event("subscribe", "")
    return _event("subscribe", f"qrscene_{code.scene}", Ticket=code.ticket)


def unfollow() -> Fields:
    return _event("unsubscribe", "")


def click(key: str) -> Fields:
    return _event("CLICK", key)


def view(url: str) -> Fields:
    return _event("VIEW", url, MenuId=439342175)


def text(content: str, *, msg_id: int, menu_id: str | None = None) -> Fields:
    """The person wrote `content`, or tapped a link that sends it (then with its id, wechat-protocol.md 3.6)."""
    tapped = {} if menu_id is None else {"bizmsgmenuid": menu_id}
    return {"MsgType": "text", "Content": content, "MsgId": msg_id, **tapped}


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
"""Pushes that say nothing about any code (wechat-protocol.md 9)."""
