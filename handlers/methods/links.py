"""Serves the pages of links: the question, and how the ticket ended (contract.md 8.4). They need no script."""

from html import escape
from string import Template
from typing import Final

from aiohttp import web

from handlers.http import authentication, navigation, request_body
from handlers.methods import cookie, pages, redirects
from handlers.methods.pages import Look, Notice
from models.confirmation import FORM_NO, FORM_YES, NOT_ME_LABELS, YES_LABELS, Question
from models.errors import WeChatUnavailable
from models.language import Lang
from models.ticket import Confirm
from models.web_authorization import ForeignForm, Way
from service.app_keys import LINKS, SETTINGS, VISITS
from service.crypto.keyring import Capability
from service.methods.links import LinkPage

_FORM: Final = Template(
    '<form method="post" class="answers">'
    '<input type="hidden" name="token" value="$token">$asked'
    '<button name="answer" value="$no" formnovalidate>$not_me</button></form>'
)
_TEXT: Final = Template('<p id="prompt">$prompt</p>')
_FIELD: Final = Template(
    '<label for="number">$prompt</label>$hint'
    '<input id="number" name="answer" inputmode="numeric" autocomplete="off" maxlength="32" required>'
    '<button class="main">$go_on</button>'
)
_HINT: Final = Template('<p role="alert">$hint</p>')
_BUTTON: Final = Template('<button class="main" name="answer" value="$value">$label</button>')
_AGAIN: Final = "again"
_GO_ON: Final = {Lang.ZH: "继续", Lang.EN: "Continue"}
_TRY_AGAIN: Final = {"zh": "重试", "en": "Try again"}


@redirects.visited
async def enter(request: web.Request) -> web.Response:
    """Take a browser inside WeChat to its authorization; tell any other how to open the link."""
    if navigation.inside_wechat(request):
        return await redirects.leave(request, Capability.LINK, Way.LINK)
    head, _ = await request.app[VISITS].usable(Capability.LINK, request.match_info["capability"])
    return pages.notice(request, Notice.OUTSIDE, lang=head.lang)


@redirects.visited
async def show(request: web.Request) -> web.Response:
    """Ask the person whom WeChat named; take any other browser to WeChat."""
    link = _link(request)
    try:
        page = await request.app[LINKS].show(
            request.match_info["capability"],
            state=request.match_info["state"],
            cookie=cookie.read(request, Way.LINK),
            lang=navigation.browser_lang(request),
            again=_AGAIN in request.query,
        )
    except WeChatUnavailable:
        # No redirect: WeChat would fail again at once, and the browser would not stop.
        again = Look(form=pages.button(link, **_TRY_AGAIN))
        return pages.notice(request, Notice.AWAY, again, status=502)
    return _page(request, page) if page else redirects.redirect(link)


@redirects.visited
async def answer(request: web.Request) -> web.Response:
    """Take the answer of the page's own form, and show the page again: it can be reloaded and returned to."""
    if not authentication.is_own_page(request):
        raise ForeignForm
    form, state = await request_body.read_form(request), request.match_info["state"]
    answered = await request.app[LINKS].answer(
        request.match_info["capability"],
        state=state,
        cookie=cookie.read(request, Way.LINK),
        token=form.get("token", [""])[0],
        answers=form.get("answer", []),
    )
    return redirects.redirect(f"{_link(request)}/{state}{'' if answered else f'?{_AGAIN}'}")


def _link(request: web.Request) -> str:
    given = request.match_info["capability"]
    return f"{request.app[SETTINGS].server.public_url}/{Capability.LINK}/{given}"


def _page(request: web.Request, page: LinkPage) -> web.Response:
    text = "".join(f'<p class="plain">{escape(line)}</p>' for line in page.lines)
    form = _form(page, page.question) if page.question else ""
    return pages.filled(
        request,
        "sign-in-question" if page.question else "sign-in-answered",
        {page.lang: (escape(page.title), text)},
        Look(form=form),
        lang=page.lang,
        has_form=bool(form),
    )


def _form(page: LinkPage, question: Question) -> str:
    return _FORM.substitute(
        token=page.token, asked=_asked(page, question), no=FORM_NO, not_me=NOT_ME_LABELS[page.lang]
    )


def _asked(page: LinkPage, question: Question) -> str:
    prompt = _TEXT.substitute(prompt=escape(page.prompt))
    match question.confirm:
        case Confirm.MATCH:
            hint = _HINT.substitute(hint=escape(page.hint)) if page.hint else ""
            return _FIELD.substitute(prompt=escape(page.prompt), hint=hint, go_on=_GO_ON[page.lang])
        case Confirm.CHOOSE:
            numbers = "".join(_BUTTON.substitute(value=it, label=it) for it in question.numbers.offered)
            return f'{prompt}<div class="numbers" role="group" aria-labelledby="prompt">{numbers}</div>'
        case _:
            return prompt + _BUTTON.substitute(value=FORM_YES, label=YES_LABELS[page.lang])
