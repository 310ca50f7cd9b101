"""What the chat says, in Chinese and English. Every name in it was cleaned or configured; nothing else gets in."""

from enum import Enum
from typing import Final
from urllib.parse import quote

from models.confirmation import Question, not_me_text, yes_text
from models.language import Lang
from models.requester import Requester
from models.ticket import Confirm, Outcome, Purpose, Reason


class Notice(Enum):
    """What can be said without a question."""

    LOGGED_IN = "logged in"
    REGISTERED = "registered"
    BOUND = "bound"
    ALREADY_BOUND = "already bound"
    WECHAT_TAKEN = "wechat taken"
    USER_TAKEN = "user taken"
    DECLINED = "declined"
    WRONG_NUMBER = "wrong number"
    OUT_OF_DATE = "out of date"
    SOMEBODY_ELSE = "somebody else"
    TOO_OFTEN = "too often"


_NOTICES: Final[dict[Notice, dict[Lang, str]]] = {
    Notice.LOGGED_IN: {
        Lang.ZH: "登录成功，请回到“{site}”的网页继续。",
        Lang.EN: "You are logged in. Go on with {site} in the browser.",
    },
    Notice.REGISTERED: {
        Lang.ZH: "扫码成功，请回到“{site}”的网页完成注册。",
        Lang.EN: "Thank you. Finish signing up with {site} in the browser.",
    },
    Notice.BOUND: {
        Lang.ZH: "绑定成功：此微信已绑定到你在“{site}”的账号。",
        Lang.EN: "Done: this WeChat is now bound to your {site} account.",
    },
    Notice.ALREADY_BOUND: {
        Lang.ZH: "此微信早已绑定到这个“{site}”账号，无需再次绑定。",
        Lang.EN: "This WeChat was already bound to that {site} account; nothing changed.",
    },
    Notice.WECHAT_TAKEN: {
        Lang.ZH: "未能绑定：此微信已绑定“{site}”的另一个账号。请先在那个账号的设置里解绑。",
        Lang.EN: "Not bound: this WeChat belongs to another {site} account. Disconnect it there first.",
    },
    Notice.USER_TAKEN: {
        Lang.ZH: "未能绑定：这个“{site}”账号已绑定另一个微信。请先在设置里解绑。",
        Lang.EN: "Not bound: that {site} account already has another WeChat. Disconnect it there first.",
    },
    Notice.DECLINED: {
        Lang.ZH: "已拒绝，什么也没有发生。如果有人给你发了这个二维码，请不要再扫。",
        Lang.EN: "Declined; nothing happened. If somebody sent you this code, do not scan it again.",
    },
    Notice.WRONG_NUMBER: {
        Lang.ZH: "数字不对，此二维码已作废。请在“{site}”的网页刷新后重新扫码。",
        Lang.EN: "Wrong number, so this code is void. Refresh the {site} page and scan again.",
    },
    Notice.OUT_OF_DATE: {
        Lang.ZH: "此二维码已失效，请在“{site}”的网页刷新后重新扫码。",
        Lang.EN: "This code is out of date. Refresh the {site} page and scan again.",
    },
    Notice.SOMEBODY_ELSE: {
        Lang.ZH: "此二维码已被别人先扫过。请在“{site}”的网页刷新后重新扫码。",
        Lang.EN: "Somebody else scanned this code first. Refresh the {site} page and scan again.",
    },
    Notice.TOO_OFTEN: {
        Lang.ZH: "操作过于频繁，请一分钟后再试。",
        Lang.EN: "That was too often. Try again in a minute.",
    },
}

_OF_OUTCOME: Final = {
    Outcome.LOGIN: Notice.LOGGED_IN,
    Outcome.REGISTER: Notice.REGISTERED,
    Outcome.BOUND: Notice.BOUND,
    Outcome.ALREADY_BOUND: Notice.ALREADY_BOUND,
}
_OF_REASON: Final = {
    Reason.DECLINED: Notice.DECLINED,
    Reason.WRONG_NUMBER: Notice.WRONG_NUMBER,
    Reason.WECHAT_TAKEN: Notice.WECHAT_TAKEN,
    Reason.USER_TAKEN: Notice.USER_TAKEN,
}

_WORDS: Final[dict[Lang, dict[str, str]]] = {
    Lang.ZH: {
        "login": "“{site}”请求用此微信登录。",
        "bind": "“{site}”请求将此微信绑定到你的账号。",
        "bind_name": "“{site}”请求将此微信绑定到账号“{name}”。",
        "browser": "浏览器：{value}",
        "address": "IP 地址：{value}",
        "tap": "确认是你本人在操作吗？",
        "choose": "请点击网页上显示的数字：",
        "match": "请回复网页上显示的两位数字。",
        "yes": "是我，继续",
        "not_me": "不是我",
    },
    Lang.EN: {
        "login": "{site} asks to log you in with this WeChat.",
        "bind": "{site} asks to bind this WeChat to your account.",
        "bind_name": "{site} asks to bind this WeChat to the account “{name}”.",
        "browser": "Browser: {value}",
        "address": "Address: {value}",
        "tap": "Is that you?",
        "choose": "Tap the number shown on the page:",
        "match": "Type the two digits shown on the page.",
        "yes": "Yes, that is me",
        "not_me": "Not me",
    },
}


def notice_of(outcome: Outcome | None, reason: Reason | None) -> Notice:
    """Tell what to say of an ending to whom it belongs; one with neither is just over."""
    if outcome:
        return _OF_OUTCOME[outcome]
    return _OF_REASON[reason] if reason else Notice.OUT_OF_DATE


def notice(what: Notice, *, lang: Lang, site: str) -> str:
    """Say *what* of a ticket of *site*."""
    return _NOTICES[what][lang].format(site=site)


def too_often() -> str:
    """Say in every language that it was too often: to find out whose is whose would cost what the limit saves."""
    return "\n".join(notice(Notice.TOO_OFTEN, lang=lang, site="") for lang in Lang)


def question(asked: Question, *, purpose: Purpose, requester: Requester, lang: Lang, site: str) -> str:
    """Ask about a scan: which site, what for, from which browser and address, and the links that answer.

    Raises:
        KeyError: there is nothing to ask with `confirm: none`.
    """
    words = _WORDS[lang]
    what = "bind_name" if purpose is Purpose.BIND and requester.account_name else purpose.value
    lines = [words[what].format(site=site, name=requester.account_name)]
    for about, value in (("browser", requester.browser), ("address", requester.address)):
        if value:
            lines.append(words[about].format(value=value))
    lines += ["", words[asked.confirm.value]]
    lines += _answers(asked, lang)
    lines += ["", _link(words["not_me"], not_me_text(lang, asked))]
    return "\n".join(lines)


def _answers(asked: Question, lang: Lang) -> list[str]:
    if asked.confirm is Confirm.TAP:
        return [_link(_WORDS[lang]["yes"], yes_text(lang, asked))]
    if asked.confirm is Confirm.CHOOSE:
        return ["    ".join(_link(number, number) for number in asked.numbers.offered)]
    return []


def _link(label: str, says: str) -> str:
    """Return a link that says something when tapped (wechat-protocol.md 3.6)."""
    return f'<a href="weixin://bizmsgmenu?msgmenucontent={quote(says)}&msgmenuid=1">{label}</a>'
