"""Texts of notices, in Chinese and English. The site's name comes from the configuration."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

from models.language import Lang
from models.notice import Told

_FRESH: Final = timedelta(minutes=10)
"""What happened no longer ago is *just now*."""
_BEIJING: Final = timezone(timedelta(hours=8))
_JUST_NOW: Final = {Lang.ZH: "刚刚", Lang.EN: "just now"}
_AT: Final = {Lang.ZH: "于{}（北京时间）", Lang.EN: "at {} (Beijing time)"}

_WHAT: Final[Mapping[Told, Mapping[Lang, str]]] = {
    Told.BOUND: {
        Lang.ZH: "你的微信{when}绑定了“{site}”的账号。",
        Lang.EN: "Your WeChat was bound to an account of {site} {when}.",
    },
    Told.MOVED: {
        Lang.ZH: "你的微信{when}改为绑定“{site}”的另一个账号，原账号不再绑定此微信。",
        Lang.EN: "Your WeChat was moved to another account of {site} {when}. The account it belonged to lost it.",
    },
    Told.BY_SITE: {
        Lang.ZH: "“{site}”{when}解绑了你的微信。",
        Lang.EN: "{site} disconnected your WeChat from your account {when}.",
    },
    Told.BY_USER: {
        Lang.ZH: "你的微信{when}在“{site}”的账号设置中被解绑。",
        Lang.EN: "Your WeChat was disconnected in the settings of your {site} account {when}.",
    },
    Told.REPLACED: {
        Lang.ZH: "你在“{site}”的账号{when}换绑了其他微信，此微信已被解绑。",
        Lang.EN: "Your {site} account was bound to another WeChat {when}. Yours was disconnected.",
    },
}
_UNDO: Final = {
    Lang.ZH: '如果不是你本人操作，请在十分钟内<a href="{link}">解绑微信</a>，并告知“{site}”。',
    Lang.EN: 'If that was not you, <a href="{link}">disconnect it</a> within ten minutes, and tell {site}.',
}
_TOO_LATE: Final = {
    Lang.ZH: "如果不是你本人操作，请联系“{site}”解绑。",
    Lang.EN: "If that was not you, ask {site} to disconnect it.",
}
_AGAIN: Final = {
    Lang.ZH: "如需重新绑定，请在“{site}”再次扫码。如果不是你本人操作，请联系“{site}”。",
    Lang.EN: "To connect it again, scan again at {site}. If that was not you, contact {site}.",
}


def notice(told: Told, *, lang: Lang, site: str, at: datetime, now: datetime, link: str | None) -> str:
    """Return the text about what happened *at* that moment; *link* leads to the page that undoes it."""
    what = _WHAT[told][lang].format(site=site, when=_when(at, now, lang))
    how = (_UNDO if link else _TOO_LATE) if told.undoable else _AGAIN
    return f"{what}\n{how[lang].format(site=site, link=link)}"


def moment(at: datetime) -> str:
    """Return a time in Beijing."""
    return f"{at.astimezone(_BEIJING):%Y-%m-%d %H:%M}"


def _when(at: datetime, now: datetime, lang: Lang) -> str:
    return _JUST_NOW[lang] if now - at < _FRESH else _AT[lang].format(moment(at))
