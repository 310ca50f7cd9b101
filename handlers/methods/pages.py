"""The pages that a browser is shown on its way to WeChat and back, in Chinese and English."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from string import Template
from typing import Any, Final

from aiohttp import web

from handlers.assets import WEB
from handlers.http import navigation, security_headers
from models.language import Lang

_PAGE: Final = Template((WEB / "sign-in.html").read_text(encoding="utf-8"))
_SECTION: Final = Template('<section lang="$lang"><h1>$title</h1>$text</section>')
_SCRIPT: Final = Template('<script type="module" src="${base}sign-in.js"></script>')
_BUTTON: Final = Template(
    '<p class="back"><a href="$url" data-testid="go-on">'
    '<span lang="zh">$zh</span> · <span lang="en">$en</span></a></p>'
)


class Notice(StrEnum):
    """A page that only tells something."""

    UNUSABLE = "unusable"
    NO_COOKIE = "no-cookie"
    RETURNED = "returned"
    SNAPSHOT = "snapshot"
    MORE = "more"
    OUTSIDE = "outside"
    FOREIGN = "foreign"
    LIMITED = "limited"
    AWAY = "away"


_TEXTS: Final[Mapping[Notice, Mapping[Lang, tuple[str, str]]]] = {
    Notice.UNUSABLE: {
        Lang.ZH: (
            "此登录请求已失效",
            "请回到原网站重新开始。登录请求仅在几分钟内有效，且只能使用一次。",
        ),
        Lang.EN: (
            "This sign-in is no longer valid",
            "Go back to the site and start again. A sign-in works once, for a few minutes, in one browser.",
        ),
    },
    Notice.NO_COOKIE: {
        Lang.ZH: ("浏览器未保存 Cookie", "此浏览器不允许嵌入的页面使用 Cookie，请改用整页登录。"),
        Lang.EN: (
            "Your browser kept no cookie",
            "It refuses cookies in frames. Sign in on a page of its own.",
        ),
    },
    Notice.RETURNED: {
        Lang.ZH: ("请稍候", "正在返回网站。"),
        Lang.EN: ("One moment", "Going back to the site."),
    },
    Notice.SNAPSHOT: {
        Lang.ZH: (
            "请使用完整服务",
            "微信正在展示此页面的快照，请点击屏幕下方的“使用完整服务”后继续。",
        ),
        Lang.EN: (
            "Use the full service",
            "WeChat shows a snapshot, which does not say who you are. Tap 使用完整服务 below to go on.",
        ),
    },
    Notice.MORE: {
        Lang.ZH: ("“{site}”请求获取你的微信昵称和头像", "微信会先征得你的同意。"),
        Lang.EN: ("{site} asks for your WeChat name and picture", "WeChat asks you to allow it first."),
    },
    Notice.OUTSIDE: {
        Lang.ZH: (
            "请在微信中打开",
            "请用微信“扫一扫”扫描网页上的二维码。若二维码在这部手机上，请先保存图片，再从“扫一扫”的相册中选取。",
        ),
        Lang.EN: (
            "Open this in WeChat",
            (
                "Scan the QR code on the page with WeChat: Discover, then Scan. If it is on this phone, save it "
                "as a picture and choose it there from the album."
            ),
        ),
    },
    Notice.FOREIGN: {
        Lang.ZH: ("未接受此回答", "未进行任何操作，请重新扫描二维码后再回答。"),
        Lang.EN: ("This answer does not count", "Nothing was changed. Scan the QR code again and answer then."),
    },
    Notice.LIMITED: {
        Lang.ZH: ("操作过于频繁", "请一分钟后再试。"),
        Lang.EN: ("Too many attempts", "Try again in a minute."),
    },
    Notice.AWAY: {
        Lang.ZH: ("服务暂时不可用", "未进行任何操作，请稍后重试。"),
        Lang.EN: ("Not available at the moment", "Nothing was changed. Try again in a minute."),
    },
}
"""Title and text; `{site}` is the site's name."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a page contains beside its notice."""

    names: Mapping[Lang, str] = field(default_factory=dict)
    """The site's name."""
    form: str = ""
    """HTML."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Values for web/sign-in.js."""
    framers: Collection[str] = ()


def notice(
    request: web.Request, what: Notice, look: Look | None = None, *, lang: Lang | None = None, status: int = 200
) -> web.Response:
    """Return a page with *what*; in *lang*, or the browser's language, first."""
    look = look or Look()
    words = {}
    for key, texts in _TEXTS[what].items():
        title, text = (it.format(site=escape(look.names.get(key, ""))) for it in texts)
        words[key] = title, f"<p>{text}</p>"
    return filled(request, f"sign-in-{what}", words, look, lang=lang, status=status)


def filled(
    request: web.Request,
    name: str,
    words: Mapping[Lang, tuple[str, str]],
    look: Look,
    *,
    lang: Lang | None = None,
    status: int = 200,
    has_form: bool = False,
) -> web.Response:
    """Return the page *name* with *words*, which are HTML: title and text, in each language that it has."""
    base = "../" * (request.path.count("/") - 1)
    data = " ".join(f'data-{key}="{escape(_attribute(value))}"' for key, value in look.data.items())
    html = _PAGE.substitute(
        id=name,
        title=" · ".join(title for title, _ in words.values()),
        sections="".join(_SECTION.substitute(lang=key, title=it[0], text=it[1]) for key, it in words.items()),
        lang=lang or navigation.browser_lang(request) or Lang.EN,
        base=base,
        data=data,
        script=_SCRIPT.substitute(base=base) if look.data else "",
        form=look.form,
    )
    return security_headers.page(html, framers=look.framers, status=status, has_form=has_form)


def button(url: str, *, zh: str, en: str) -> str:
    """Return a link that looks like a button."""
    return _BUTTON.substitute(url=escape(url), zh=zh, en=en)


def _attribute(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
