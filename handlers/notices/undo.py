"""Serves the page that a notice leads to, which undoes a bind (docs/adr/0040). It needs no script."""

from collections.abc import Mapping
from functools import wraps
from html import escape
from string import Template
from typing import Final

from aiohttp import web

from handlers.http import authentication, navigation, request_body
from handlers.methods import pages, redirects
from handlers.methods.pages import Look
from handlers.methods.redirects import Handler
from models.language import Lang
from models.notice import UNDO_WITHIN, ForeignUndoError, UnusableUndoError
from service.app_keys import SETTINGS, UNDO
from service.crypto.keyring import Capability
from service.notices.messages import moment
from service.notices.undo import UndoPage, UndoState

_FORM: Final = Template(
    '<form method="post" class="answers"><input type="hidden" name="token" value="$token">'
    '<button class="main">$label</button></form>'
)
_LABEL: Final = {Lang.ZH: "不是我，解绑微信", Lang.EN: "It was not me: disconnect"}
_PAGES: Final[Mapping[UndoState, Mapping[Lang, tuple[str, str]]]] = {
    UndoState.OPEN: {
        Lang.ZH: (
            "解绑“{site}”的微信？",
            "你的微信于 {at}（北京时间）绑定了“{site}”的账号。如果不是你本人操作，可以在 {until} 前在此解绑。",
        ),
        Lang.EN: (
            "Disconnect your WeChat from {site}?",
            "It was bound to an account of {site} at {at} (Beijing time). Until {until} you can undo that here.",
        ),
    },
    UndoState.GONE: {
        Lang.ZH: (
            "微信已解绑",
            "{at}（北京时间）在“{site}”的绑定已不存在。如果不是你本人绑定的，请告知“{site}”。",
        ),
        Lang.EN: (
            "Your WeChat is disconnected",
            "What was bound at {site} at {at} (Beijing time) is bound no more. If that was not you, tell {site}.",
        ),
    },
    UndoState.LATE: {
        Lang.ZH: (
            "此链接已过期",
            "此链接仅在 {until}（北京时间）前有效。请在账号设置中解绑微信；如果该账号不是你的，请联系“{site}”。",
        ),
        Lang.EN: (
            "This link has expired",
            "It worked until {until} (Beijing time). Disconnect your WeChat in your account, or ask {site}.",
        ),
    },
}
"""Title and text."""
_UNUSABLE: Final = {
    Lang.ZH: ("链接无效", "请从公众号发来的消息中重新打开此链接。"),
    Lang.EN: ("This link is not valid", "Open it again from the message in the account's chat."),
}
_FOREIGN: Final = {
    Lang.ZH: ("未进行任何操作", "请从公众号发来的消息中重新打开链接，再点击按钮。"),
    Lang.EN: (
        "Nothing was changed",
        "Open the link again from the message in the account's chat, and press the button.",
    ),
}


def _explained(handler: Handler) -> Handler:
    """Answer what is wrong with an address or a form with a page."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except UnusableUndoError:
            return _told(request, "undo-unusable", _UNUSABLE, status=400)
        except ForeignUndoError:
            return _told(request, "undo-foreign", _FOREIGN, status=403)

    return answer


@redirects.visited
@_explained
async def show(request: web.Request) -> web.Response:
    """Show what was bound, and the button that undoes it. Changes nothing: WeChat opens links ahead."""
    return _page(request, await request.app[UNDO].show(request.match_info["capability"]))


@redirects.visited
@_explained
async def undo(request: web.Request) -> web.Response:
    """Take the page's own form, and show the page again: it can be reloaded."""
    if not authentication.is_own_page(request):
        raise ForeignUndoError
    given, form = request.match_info["capability"], await request_body.read_form(request)
    await request.app[UNDO].undo(given, token=form.get("token", [""])[0])
    return redirects.redirect(f"{request.app[SETTINGS].server.public_url}/{Capability.UNDO}/{given}")


def _page(request: web.Request, page: UndoPage) -> web.Response:
    client = request.app[SETTINGS].clients[page.client]
    lang = navigation.browser_lang(request) or client.lang
    at, until = moment(page.bound_at), moment(page.bound_at + UNDO_WITHIN)
    words = (text.format(site=client.name[lang], at=at, until=until) for text in _PAGES[page.state][lang])
    title, text = map(escape, words)
    form = _FORM.substitute(token=page.token, label=_LABEL[lang]) if page.state is UndoState.OPEN else ""
    return pages.filled(
        request,
        f"sign-in-undo-{page.state}",
        {lang: (title, f'<p class="plain">{text}</p>')},
        Look(form=form),
        lang=lang,
        has_form=bool(form),
    )


def _told(request: web.Request, name: str, texts: Mapping[Lang, tuple[str, str]], *, status: int) -> web.Response:
    words = {lang: (title, f"<p>{text}</p>") for lang, (title, text) in texts.items()}
    return pages.filled(request, f"sign-in-{name}", words, Look(), status=status)
