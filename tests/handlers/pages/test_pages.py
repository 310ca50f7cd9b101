"""The front page, and a page for each problem that the service can answer with.

Red when a problem has no page, or when a page names a client, an account or a store.

Covers: handlers.pages.problem_texts, handlers.pages.routes.
"""

import re
from urllib.parse import urljoin

import pytest
from harness import ACCOUNT, World, problem

from handlers.http.problems import INTERNAL, PROBLEMS
from handlers.pages.pages import BY_SLUG
from handlers.pages.problem_texts import EXPLANATIONS
from handlers.routes import ALL
from models.language import Lang
from service.version import VERSION


async def test_the_front_page_names_the_service_its_version_and_its_documents(world: World) -> None:
    response = await world.call("GET", "/")
    text = await response.text()
    assert (response.status, response.content_type) == (200, "text/html")
    assert "scanbind" in text
    assert VERSION in text
    [link] = set(re.findall(r'<a href="([^"]*)"', text))
    assert (await world.call("GET", urljoin("/", link))).status == 200


async def test_the_front_page_is_the_same_for_each_caller_and_holds_no_name(world: World) -> None:
    kinds = ({}, {"Accept": "application/json"}, {"Origin": "https://evil.example"}, {"Cookie": "a=b"})
    texts = {await (await world.call("GET", "/", headers=kind)).text() for kind in kinds}
    [text] = texts
    for hidden in ("shop", "示例商城", "club", "main", ACCOUNT.appid, "redis", "sqlite", world.url):
        assert hidden not in text.lower().replace("<main>", "").replace("</main>", "")


async def test_the_metrics_name_the_route_of_the_front_page(world: World) -> None:
    """Red when the slash that may end an address is removed from this one."""
    await world.call("GET", "/")
    text = await (await world.call("GET", "/metrics")).text()
    assert 'scanbind_http_request_seconds_count{method="GET",route="/",status="200"} 1.0' in text


async def test_a_head_request_gets_the_headers_alone(world: World) -> None:
    for path in ("/", "/problems/not-found"):
        response = await world.call("HEAD", path)
        assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize(
    ("wanted", "first"), [("zh-CN,zh;q=0.9", "zh"), ("en-GB", "en"), ("fr", "en"), ("", "en")]
)
async def test_the_language_of_the_browser_comes_first(world: World, wanted: str, first: str) -> None:
    for path in ("/", "/problems/rate-limited"):
        text = await (await world.call("GET", path, headers={"Accept-Language": wanted})).text()
        assert f'<html lang="{first}">' in text


@pytest.mark.parametrize("path", ["/", "/problems/not-found"])
async def test_a_page_runs_no_script_and_is_not_framed(world: World, path: str) -> None:
    response = await world.call("GET", path)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in await response.text()


def test_every_problem_that_an_operation_can_answer_with_is_explained_in_both_languages() -> None:
    """Red when an error gets a problem but no text: its `type` would lead nowhere."""
    answered = {PROBLEMS[error].slug for it in ALL for error in it.refusals} | {INTERNAL.slug}
    assert answered <= BY_SLUG.keys() == EXPLANATIONS.keys()
    assert {slug: set(texts) for slug, texts in EXPLANATIONS.items()} == {slug: set(Lang) for slug in BY_SLUG}


def test_the_english_title_is_that_of_the_problem() -> None:
    titles = {slug: texts[Lang.EN].title for slug, texts in EXPLANATIONS.items()}
    assert titles == {slug: one.title for slug, one in BY_SLUG.items()}


async def test_the_type_of_a_problem_leads_to_its_page(world: World) -> None:
    told = await problem(await world.call("GET", "/v1/tickets/unknown"), 401, "unauthorized")
    response = await world.call("GET", told["type"])
    text = await response.text()
    assert response.status == 200
    assert told["title"] in text
    assert "HTTP 401 · <code>unauthorized</code>" in text


@pytest.mark.parametrize("slug", list(EXPLANATIONS))
async def test_each_problem_has_a_page(world: World, slug: str) -> None:
    text = await (await world.call("GET", f"/problems/{slug}")).text()
    assert f"HTTP {BY_SLUG[slug].status} · <code>{slug}</code>" in text


@pytest.mark.parametrize("slug", ["nothing", "Not-Found", "not-found.html", "%3Cscript%3E", "..%2F"])
async def test_an_unknown_problem_is_a_problem(world: World, slug: str) -> None:
    told = await problem(await world.call("GET", f"/problems/{slug}"), 404, "not-found")
    assert "<script>" not in told["detail"]
