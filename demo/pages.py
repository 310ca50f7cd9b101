"""The shop's HTML: templates of web/, filled in. Whatever is not `Html` is escaped."""

from functools import cache
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web

from demo.words import PAGES

WEB = Path(__file__).parent / "web"


class Html(str):
    """Text that is HTML already, made by `fragment` alone."""

    __slots__ = ()


@cache
def _template(name: str) -> Template:
    return Template((WEB / f"{name}.html").read_text(encoding="utf-8"))


def fragment(name: str, *, lang: str, **values: str) -> Html:
    """Return web/*name*.html filled with *values* and with the words of *lang*."""
    safe = {key: value if isinstance(value, Html) else escape(value) for key, value in values.items()}
    return Html(_template(name).substitute(PAGES[lang], **safe))


def page(
    name: str, *, lang: str, user: str | None, notice: str = "", status: int = 200, **values: str
) -> web.Response:
    """Return a whole page: *user* is the name of who is signed in, *notice* a key of the words, said on top."""
    html = fragment(
        "layout",
        lang=lang,
        nav=fragment("nav_user", lang=lang, user=user) if user else fragment("nav_guest", lang=lang),
        notice=fragment("notice", lang=lang, text=PAGES[lang][notice]) if notice else "",
        body=fragment(name, lang=lang, **values),
    )
    return web.Response(text=html, content_type="text/html", status=status)
