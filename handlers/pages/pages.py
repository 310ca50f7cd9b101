"""Serves the front page, and the pages that `type` of a problem leads to. Neither needs a script."""

from collections.abc import Mapping
from html import escape
from string import Template
from typing import Final

from aiohttp import web

from handlers.http.problems import INTERNAL, PROBLEMS, Problem
from handlers.methods.pages import Look, filled
from handlers.pages.problem_texts import EXPLANATIONS, Explanation
from models import errors
from models.language import Lang
from service.version import VERSION

BY_SLUG: Final[Mapping[str, Problem]] = {one.slug: one for one in (*PROBLEMS.values(), INTERNAL)}
_FRONT: Final = {
    Lang.ZH: (
        "scanbind 微信登录与绑定",
        "网站通过本服务让用户以微信登录，或把微信绑定到账号。如果你是网站的访客，请返回原网站，在那里登录。",
        "接口说明",
        "使用文档在源代码的 docs 目录中。",
        "版本",
    ),
    Lang.EN: (
        "scanbind: log in with WeChat",
        (
            "Sites use this service to let people log in with WeChat, or connect their WeChat to an account. "
            "Visitors of a site: go back to it and sign in there."
        ),
        "Description of the API",
        "The documents are in the folder docs of the source code.",
        "Version",
    ),
}
"""Title, purpose, the words of the link, where the documents are, and what the version is called."""
_ABOUT: Final = Template(
    '<p class="plain">$purpose</p><p>$documents</p><p><a href="openapi.json">$api</a> · $name $version</p>'
)
_PROBLEM: Final = Template(
    '<p class="plain">$means</p><p class="plain">$remedy</p><p>HTTP $status · <code>$slug</code></p>'
)


async def front(request: web.Request) -> web.Response:
    """Return a page that names the service, its version and its documents."""
    words = {
        lang: (
            title,
            _ABOUT.substitute(purpose=purpose, api=api, documents=documents, name=name, version=escape(VERSION)),
        )
        for lang, (title, purpose, api, documents, name) in _FRONT.items()
    }
    return filled(request, "front", words, Look())


async def problem(request: web.Request) -> web.Response:
    """Return a page about a problem: what it means, and what its caller can do."""
    described = BY_SLUG.get(request.match_info["slug"])
    if described is None:
        raise errors.NotFound("there is no such problem")
    texts = EXPLANATIONS[described.slug]
    words = {lang: (escape(text.title), _explained(described, text)) for lang, text in texts.items()}
    return filled(request, "problem", words, Look())


def _explained(problem: Problem, text: Explanation) -> str:
    return _PROBLEM.substitute(
        means=escape(text.means), remedy=escape(text.remedy), status=problem.status, slug=problem.slug
    )
