"""Verification files: the configured ones alone, as text, at the root.

Red when a name that is not configured is answered, and when another endpoint has an address that a file may have.
"""

import re
from typing import Any

import pytest
from harness import World, problem

from handlers.routes import ALL

NAME = "MP_verify_0123456789abcdef.txt"
FILES = {NAME: "0123456789abcdef", f"{'a' * 64}.txt": "<b>not HTML</b>"}

PARAMETER = re.compile(r"{\w+(?::|(?=}))([^{}]*)}")
"""A parameter of a path, and the expression that it must match; any segment matches an empty one."""


@pytest.fixture
async def verified(make: Any) -> World:
    started: World = await make(verify_files=FILES)
    return started


@pytest.mark.parametrize("name", FILES)
async def test_a_configured_file_is_text_that_may_be_kept_for_minutes(verified: World, name: str) -> None:
    response = await verified.call("GET", f"/{name}")
    assert (response.status, response.content_type) == (200, "text/plain")
    assert await response.text() == FILES[name]
    assert response.headers["Cache-Control"] == "public, max-age=300, no-transform"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_head_is_answered_without_the_content(verified: World) -> None:
    response = await verified.call("HEAD", f"/{NAME}")
    assert (response.status, response.content_type) == (200, "text/plain")
    assert response.headers["Content-Length"] == str(len(FILES[NAME]))
    assert await response.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/MP_verify_fedcba9876543210.txt",
        f"/{NAME.lower()}",
        f"/{NAME.removesuffix('.txt')}",
        f"/{NAME}.txt",
        f"/{NAME}/",
        f"//{NAME}",
        f"/static/{NAME}",
        "/config.txt",
        "/..%2fconfig.txt",
        "/.txt",
        "/robots.txt",
    ],
)
async def test_no_other_name_is_served(verified: World, path: str) -> None:
    await problem(await verified.call("GET", path), 404, "not-found")


async def test_nothing_is_served_unless_it_is_configured(world: World) -> None:
    await problem(await world.call("GET", f"/{NAME}"), 404, "not-found")


async def test_other_methods_are_refused(verified: World) -> None:
    response = await verified.call("POST", f"/{NAME}")
    await problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("name", [*FILES, "widget.txt", "portal.txt", "openapi.txt", "v1.txt"])
def test_no_other_endpoint_has_such_an_address(name: str) -> None:
    matching = [it.id for it in ALL if re.fullmatch(PARAMETER.sub(_expression, it.path), f"/{name}")]
    assert matching == ["readVerifyFile"]


def _expression(parameter: re.Match[str]) -> str:
    return f"(?:{parameter[1] or '[^/]+'})"
