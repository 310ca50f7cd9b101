"""Scripts over HTTP: readable by every page, cached by version, compressed.

Red when the operations are no longer public: a page that no client lists could neither load nor pin the script.
"""

import base64
import gzip
import hashlib
import re

import pytest
from harness import ORIGIN, World, problem

from handlers.assets import SCRIPTS
from service.cli.main import main

NAMES = ("widget", "portal")
TAG = re.compile(
    r'<script type="module" src="(?P<src>[^"]+)" '
    r'integrity="sha384-(?P<hash>[A-Za-z0-9+/=]+)" crossorigin="anonymous"></script>'
)


def printed(world: World, capsys: pytest.CaptureFixture[str]) -> dict[str, re.Match[str]]:
    """Return what `scanbind widget` prints for this configuration: each script's address and hash."""
    assert main(("widget", "--config", str(world.settings.data_dir / "config.yaml"))) == 0
    lines = capsys.readouterr().out.splitlines()
    tags = [tag for line in lines if (tag := TAG.fullmatch(line))]
    assert len(tags) == len(lines) == len(NAMES)
    return {name: tag for name, tag in zip(NAMES, tags, strict=True) if f"/{name}-" in tag["src"]}


@pytest.mark.parametrize("name", NAMES)
async def test_a_script_is_given_as_it_is_in_this_release(world: World, name: str) -> None:
    response = await world.call("GET", f"/{name}.js")
    assert (response.status, response.content_type, response.charset) == (200, "text/javascript", "utf-8")
    assert await response.read() == SCRIPTS[name].body
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Cache-Control"] == "public, max-age=300, no-transform"


@pytest.mark.parametrize("name", NAMES)
async def test_what_the_command_prints_is_what_is_served_and_never_changes(
    world: World, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    tag = printed(world, capsys)[name]
    assert tag["src"].startswith(f"{world.url}/{name}-")
    response = await world.call("GET", tag["src"].removeprefix(world.url))
    assert response.status == 200
    assert base64.b64encode(hashlib.sha384(await response.read()).digest()).decode() == tag["hash"]
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable, no-transform"


async def test_another_releases_script_is_not_passed_off_as_this_ones(world: World) -> None:
    for version in ("0123456789abcdef", "0", "f" * 200):
        response = await world.call("GET", f"/widget-{version}.js", headers={"Origin": ORIGIN})
        told = await problem(response, 404, "not-found")
        assert "scanbind widget" in told["detail"]
        assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "path", ["/other.js", "/widget.css", "/widget-xyz.js", "/widget.js.map", "/Widget.js", "/widget-.js"]
)
async def test_nothing_else_of_the_folder_is_given(world: World, path: str) -> None:
    await problem(await world.call("GET", path), 404, "not-found")


@pytest.mark.parametrize("origin", [ORIGIN, "https://elsewhere.example", "http://localhost:3000", "null", None])
@pytest.mark.parametrize("name", NAMES)
async def test_every_page_may_read_it(world: World, name: str, origin: str | None) -> None:
    """A module is fetched with CORS; an answer that names no origin may be cached for every page."""
    for path in (f"/{name}.js", SCRIPTS[name].tag("").split('"')[3]):
        response = await world.call("GET", path, headers={"Origin": origin} if origin else {})
        assert response.status == 200
        assert response.headers.getall("Access-Control-Allow-Origin") == ["*"]
        assert response.headers.getall("Vary") == ["Accept-Encoding"]
        assert "Access-Control-Allow-Credentials" not in response.headers


async def test_a_script_that_is_known_is_not_sent_again(world: World) -> None:
    first = await world.call("GET", "/widget.js")
    tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"older", {tag}', f'{tag[:-1]}-gzip"', f'{tag[:-1]};br"', "*"):
        again = await world.call("GET", "/widget.js", headers={"If-None-Match": known, "Origin": ORIGIN})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Access-Control-Allow-Origin"] == "*"
    changed = await world.call("GET", "/widget.js", headers={"If-None-Match": '"older"'})
    assert changed.status == 200


async def test_scripts_are_compressed_for_browsers_that_accept_it(world: World) -> None:
    plain = await world.call("GET", "/widget.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    address = f"{world.url}/widget.js"
    headers = {"Accept-Encoding": "gzip, deflate, br"}
    async with world.http.get(address, headers=headers, auto_decompress=False) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        body = await packed.read()
    assert gzip.decompress(body) == await plain.read()
    assert len(body) == int(packed.headers["Content-Length"]) < len(await plain.read()) / 2


@pytest.mark.parametrize("accepted", ["identity", "br", "*;q=0"])
async def test_who_cannot_unpack_is_not_sent_packed(world: World, accepted: str) -> None:
    response = await world.call("GET", "/widget.js", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("br;q=1, gzip; q=0.0", False),
        ("xgzip", False),
    ],
)
async def test_gzip_is_not_sent_to_browsers_that_refuse_it(world: World, accepted: str, *, packed: bool) -> None:
    async with world.http.get(f"{world.url}/widget.js", headers={"Accept-Encoding": accepted}) as response:
        assert (response.headers.get("Content-Encoding") == "gzip") is packed
