"""Texts of the chat, and of pages that ask the same, in Chinese and English.

Names in them come from the configuration or were cleaned before.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final
from urllib.parse import quote

from models.confirmation import NOT_ME_LABELS, YES_LABELS, Question, not_me_text, yes_text
from models.language import Lang
from models.requester import Requester
from models.ticket import Confirm, Outcome, Purpose, Reason


class Notice(Enum):
    """A reply that asks nothing."""

    LOGGED_IN = "logged in"
    REGISTERED = "registered"
    BOUND = "bound"
    ALREADY_BOUND = "already bound"
    WECHAT_TAKEN = "wechat taken"
    USER_TAKEN = "user taken"
    DECLINED = "declined"
    WRONG_NUMBER = "wrong number"
    OUT_OF_DATE = "out of date"
    ANOTHER_PERSON = "scanned by another person"
    TOO_OFTEN = "too often"


_UNUSABLE_PASSCODE: Final = {
    Lang.ZH: "验证码无效、已过期或已被使用，请在网页上获取新的验证码。",
    Lang.EN: "This code cannot be used: it is wrong, expired or used. Get a new one on the page.",
}
"""One text: it must not tell which codes exist (contract.md 8.4)."""
_SEND_PASSCODE: Final = {
    Lang.ZH: "如果网页上显示了验证码，请将它发送到这里。",
    Lang.EN: "If a web page shows you a code, send it here.",
}

_NOTICES: Final[dict[Notice, dict[Lang, str]]] = {
    Notice.LOGGED_IN: {
        Lang.ZH: "登录成功，请返回“{site}”网页继续操作。",
        Lang.EN: "You are logged in. Return to {site} in your browser.",
    },
    Notice.REGISTERED: {
        Lang.ZH: "扫码成功，请返回“{site}”网页完成注册。",
        Lang.EN: "Thank you. Return to {site} in your browser to finish signing up.",
    },
    Notice.BOUND: {
        Lang.ZH: "绑定成功，此微信已绑定到你的“{site}”账号。微信标识尾号：{label}。",
        Lang.EN: "Your WeChat is now bound to your {site} account. Identifier ending in {label}.",
    },
    Notice.ALREADY_BOUND: {
        Lang.ZH: "此微信已绑定你的“{site}”账号，无需重复绑定。微信标识尾号：{label}。",
        Lang.EN: (
            "Your WeChat is already bound to this {site} account. Nothing was changed. "
            "Identifier ending in {label}."
        ),
    },
    Notice.WECHAT_TAKEN: {
        Lang.ZH: "绑定失败：此微信已绑定“{site}”的其他账号，请先在该账号的设置中解绑。",
        Lang.EN: "Not bound: your WeChat is bound to another {site} account. Disconnect it there first.",
    },
    Notice.USER_TAKEN: {
        Lang.ZH: "绑定失败：该“{site}”账号已绑定其他微信，请先在账号设置中解绑原微信。",
        Lang.EN: "Not bound: this {site} account is bound to another WeChat. Disconnect that one first.",
    },
    Notice.DECLINED: {
        Lang.ZH: "已拒绝，未进行任何操作。如果二维码是他人发给你的，请勿再次扫描。",
        Lang.EN: "Declined. Nothing was changed. If another person sent you this QR code, do not scan it again.",
    },
    Notice.WRONG_NUMBER: {
        Lang.ZH: "数字不正确，此二维码已失效，请在“{site}”网页上刷新二维码后重新扫码。",
        Lang.EN: "Wrong number. This QR code is now invalid. Get a new code on the {site} page and scan again.",
    },
    Notice.OUT_OF_DATE: {
        Lang.ZH: "此二维码已失效，请在“{site}”网页上刷新二维码后重新扫码。",
        Lang.EN: "This QR code is no longer valid. Get a new code on the {site} page and scan again.",
    },
    Notice.ANOTHER_PERSON: {
        Lang.ZH: "此二维码已被他人扫描，请在“{site}”网页上刷新二维码后重新扫码。",
        Lang.EN: "Another person scanned this QR code first. Get a new code on the {site} page and scan again.",
    },
    Notice.TOO_OFTEN: {
        Lang.ZH: "操作过于频繁，请一分钟后再试。",
        Lang.EN: "Too many attempts. Try again in a minute.",
    },
}

_OF_PASSCODES: Final[dict[Notice, dict[Lang, str]]] = {
    Notice.REGISTERED: {
        Lang.ZH: "验证成功，请返回“{site}”网页完成注册。",
        Lang.EN: _NOTICES[Notice.REGISTERED][Lang.EN],
    },
    Notice.DECLINED: {
        Lang.ZH: "已拒绝，未进行任何操作。如果验证码是他人发给你的，请勿再次发送。",
        Lang.EN: "Declined. Nothing was changed. If another person gave you this code, do not send it again.",
    },
    Notice.WRONG_NUMBER: {
        Lang.ZH: "数字不正确，此验证码已失效，请在“{site}”网页上获取新的验证码。",
        Lang.EN: "Wrong number. This code is now invalid. Get a new one on the {site} page.",
    },
    Notice.OUT_OF_DATE: _UNUSABLE_PASSCODE,
    Notice.ANOTHER_PERSON: _UNUSABLE_PASSCODE,
}
"""What differs when a passcode was sent and no QR code scanned."""

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
        "login": "“{site}”请求使用此微信登录。",
        "bind": "“{site}”请求将此微信绑定到你的账号。",
        "bind_name": "“{site}”请求将此微信绑定到账号“{name}”。",
        "browser": "浏览器：{value}",
        "address": "IP 地址：{value}",
        "tap": "是你本人在操作吗？",
        "choose": "请点选网页上显示的数字：",
        "match": "请回复网页上显示的两位数字。",
        "page_choose": "请点选二维码所在网页上显示的数字：",
        "page_match": "请输入二维码所在网页上显示的两位数字：",
        "page_hint": "请只输入两位数字。",
        "hint_number": "请只回复网页上显示的两位数字。如果不是你本人在操作，请回复“{not_me}”。",
        "hint_tap": "请回复“{yes}”或“{not_me}”。",
    },
    Lang.EN: {
        "login": "{site} asks to log you in with your WeChat.",
        "bind": "{site} asks to bind your WeChat to your account.",
        "bind_name": "{site} asks to bind your WeChat to the account “{name}”.",
        "browser": "Browser: {value}",
        "address": "IP address: {value}",
        "tap": "Is that you?",
        "choose": "Tap the number shown on the page:",
        "match": "Type the two digits shown on the page.",
        "page_choose": "Tap the number shown on the page with the QR code:",
        "page_match": "Type the two digits shown on the page with the QR code:",
        "page_hint": "Type two digits and nothing else.",
        "hint_number": "Reply with only the two digits shown on the page. If it is not you, reply “{not_me}”.",
        "hint_tap": "Reply “{yes}” or “{not_me}”.",
    },
}


def notice_of(outcome: Outcome | None, reason: Reason | None) -> Notice:
    """Return the notice for a ticket that ended; OUT_OF_DATE if it expired or was cancelled."""
    if outcome:
        return _OF_OUTCOME[outcome]
    return _OF_REASON[reason] if reason else Notice.OUT_OF_DATE


def notice(what: Notice, *, lang: Lang, site: str, label: str = "", passcode: bool = False) -> str:
    """Return the text of *what* for a ticket of *site*; *label* names the WeChat, as in the portal."""
    texts = _OF_PASSCODES.get(what) if passcode else None
    return (texts or _NOTICES[what])[lang].format(site=site, label=label)


def too_often() -> str:
    """Return TOO_OFTEN in both languages: a query for the person's language would undo what the limit saves."""
    return _in_all(_NOTICES[Notice.TOO_OFTEN])


def unusable_passcode(lang: Lang | None) -> str:
    """Return the reply to a passcode that is unknown or over; without a language in both."""
    return _UNUSABLE_PASSCODE[lang] if lang else _in_all(_UNUSABLE_PASSCODE)


def send_passcode(lang: Lang | None) -> str:
    """Return the reply to a person who follows an account that takes passcodes; without a language in both."""
    return _SEND_PASSCODE[lang] if lang else _in_all(_SEND_PASSCODE)


def request(*, purpose: Purpose, requester: Requester, lang: Lang, site: str) -> list[str]:
    """Return the lines that say what is asked for: the site and the purpose, then the browser and address."""
    words = _WORDS[lang]
    what = "bind_name" if purpose is Purpose.BIND and requester.account_name else purpose.value
    lines = [words[what].format(site=site, name=requester.account_name)]
    for label, value in (("browser", requester.browser), ("address", requester.address)):
        if value:
            lines.append(words[label].format(value=value))
    return lines


def question(asked: Question, *, lines: list[str], lang: Lang) -> str:
    """Return the question for a scan: the *lines* of its request, and the answer links.

    Raises:
        KeyError: `confirm: none` has no question.
    """
    lines = [*lines, "", _WORDS[lang][asked.confirm.value]]
    lines += _answers(asked, lang)
    lines += ["", _link(NOT_ME_LABELS[lang], not_me_text(lang, asked))]
    return "\n".join(lines)


def page_question(confirm: Confirm, *, lang: Lang) -> str:
    """Return what a page asks above its buttons or its text field.

    Raises: as `question`.
    """
    words = _WORDS[lang]
    return words.get(f"page_{confirm}", words[confirm.value])


def page_hint(*, lang: Lang) -> str:
    """Return what a page says when its text field did not contain a number."""
    return _WORDS[lang]["page_hint"]


def hint(confirm: Confirm, *, lang: Lang) -> str:
    """Return what to reply to a question, for a person who wrote nearly that."""
    words = _WORDS[lang]["hint_tap" if confirm is Confirm.TAP else "hint_number"]
    return words.format(yes=YES_LABELS[lang], not_me=NOT_ME_LABELS[lang])


def _in_all(texts: Mapping[Lang, str]) -> str:
    return "\n".join(texts[lang] for lang in Lang)


def _answers(asked: Question, lang: Lang) -> list[str]:
    if asked.confirm is Confirm.TAP:
        return [_link(YES_LABELS[lang], yes_text(lang, asked))]
    if asked.confirm is Confirm.CHOOSE:
        return ["    ".join(_link(number, number) for number in asked.numbers.offered)]
    return []


def _link(label: str, sends: str) -> str:
    """Return a link that sends *sends* as a message when tapped (wechat-protocol.md 3.6)."""
    return f'<a href="weixin://bizmsgmenu?msgmenucontent={quote(sends)}&msgmenuid=1">{label}</a>'
