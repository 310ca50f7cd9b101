"""A phone runs the example's own files, and calls only what its mini program may call.

Red when the phone page is served other scripts than examples/miniprogram has, when a file outside of it is served,
or when a call reaches another host than the mini program's.
"""

from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mini_programs import MINI, Programs

from sandbox.mini_program.files import EXAMPLE

BASE = f"/sandbox/mini-program/{MINI.appid}/"


async def test_the_scripts_are_the_examples_own_with_another_address(mini: Programs) -> None:
    response = await mini.client.get(f"{BASE}program.js")
    text = await response.text()
    for name in ("app.js", "texts.js", "pages/scan/index.js"):
        assert (EXAMPLE / name).read_text("utf-8") in text
    assert MINI.api in text
    assert "login.example.com" not in text
    assert (await mini.client.get(BASE.replace(MINI.appid, "wxunknown") + "program.js")).status == 404


@pytest.mark.parametrize(
    ("name", "kind"), [("pages/scan/index.wxml", "text/xml"), ("pages/scan/index.wxss", "text/css")]
)
async def test_the_template_and_the_styles_are_the_examples_own(mini: Programs, name: str, kind: str) -> None:
    response = await mini.client.get(BASE + name)
    assert response.content_type == kind
    assert await response.text() == (EXAMPLE / name).read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["README.md", "../README.md", "pages/scan", "pages/../../../pyproject.toml", "none.json"]
)
async def test_other_files_are_not_served(mini: Programs, name: str) -> None:
    assert (await mini.client.get(BASE + name.replace("/", "%2F"))).status == 404


async def test_the_address_of_a_code_leads_to_the_phone_page(mini: Programs) -> None:
    await mini.make()
    [code] = mini.programs.shown()
    assert (await mini.client.get(f"/m/{code.id}")).content_type == "text/html"
    assert (await mini.client.get(f"/m/{code.id}.png")).content_type == "image/png"
    assert (await mini.client.get(f"/m/{'0' * 24}.png")).status == 404


async def test_the_control_api_lists_programs_and_codes(mini: Programs) -> None:
    await mini.make()
    [code] = (await (await mini.client.get("/sandbox/api/mini_program_codes")).json())["codes"]
    assert (code["appid"], code["scene"], code["page"]) == (MINI.appid, "s1", "pages/scan/index")
    assert (await mini.post("open_mini_program", code=code["url"]))["scene"] == "s1"
    await mini.post("open_mini_program", status=404, code="unknown")
    anna = await mini.sandbox.create_user("Anna")
    assert await mini.post("block_in_mini_programs", user=anna.id) == {"blocked": True}
    told = await (await mini.client.get("/sandbox/api/mini_programs", params={"user": anna.id})).json()
    assert [it["appid"] for it in told["mini_programs"]] == [MINI.appid, "wxothermini"]
    assert told["blocked"] is True
    assert MINI.secret not in str(told)


@pytest.mark.parametrize("url", ["", "/v1", "javascript:1", "http://[::1", "http://127.0.0.1:99999/"])
async def test_a_request_to_what_is_no_address_is_refused(mini: Programs, url: str) -> None:
    anna = await mini.sandbox.create_user("Anna")
    await mini.post("mini_program_request", status=409, user=anna.id, program=MINI.appid, url=url, data="{}")


async def test_a_request_comes_as_from_wechat_and_to_its_own_host_alone(mini: Programs) -> None:
    seen: list[web.Request] = []

    async def scans(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"got": await request.json()}, status=404)

    app = web.Application()
    app.router.add_post("/v1/miniprogram/mini/scans", scans)
    anna = await mini.sandbox.create_user("Anna")
    async with TestServer(app) as server:
        mini.programs.publish(replace(MINI, api=str(server.make_url("/v1/miniprogram/mini"))))
        url = str(server.make_url("/v1/miniprogram/mini/scans"))
        asked: dict[str, Any] = {"user": anna.id, "program": MINI.appid, "data": '{"a":1}'}
        await mini.post("mini_program_request", status=409, url=url.replace("127.0.0.1", "localhost"), **asked)
        told = await mini.post("mini_program_request", url=url, **asked)
    assert told == {"status": 404, "text": '{"got": {"a": 1}}'}
    assert seen[0].headers["Referer"] == f"https://servicewechat.com/{MINI.appid}/0/page-frame.html"
    assert "Origin" not in seen[0].headers
