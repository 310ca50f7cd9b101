"""The camera endpoint decodes screenshots, and refuses other sites' pages."""

import asyncio
import io
import re
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import segno
from aiohttp.test_utils import TestClient
from authorizing import BACK, SITE
from PIL import Image

from sandbox import camera_api
from sandbox.account import OfficialAccount
from sandbox.app import AUTHORIZATION, SANDBOX, make_app
from sandbox.phone_page import WEB

PNG = {"Content-Type": "image/png"}


@pytest.fixture
async def client(aiohttp_client: Any, account: OfficialAccount, clock: Any) -> Any:
    return await aiohttp_client(make_app([account], [SITE], public_url="http://phone.test", clock=clock))


def picture(*texts: str, kind: str = "PNG") -> bytes:
    """Draw codes of these texts side by side."""
    image, out = Image.new("L", (max(1, len(texts)) * 500, 500), 255), io.BytesIO()
    for number, text in enumerate(texts):
        code = io.BytesIO()
        segno.make(text, error="m", micro=False).save(code, kind="png", scale=8, border=4)
        image.paste(Image.open(code), (number * 500, 0))
    image.save(out, kind)
    return out.getvalue()


async def look(client: TestClient, body: Any, headers: dict[str, str] = PNG) -> tuple[int, Any]:
    response = await client.post("/sandbox/api/picture", data=body, headers=headers)
    return response.status, await response.json()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_the_code_in_the_picture_is_named(client: TestClient, show: Callable[..., str], kind: str) -> None:
    code = show(client.app[SANDBOX])
    body = picture(f"http://phone.test/q/{code}", kind=kind)
    status, answer = await look(client, body, {"Content-Type": f"image/{kind.lower()}"})
    assert (status, answer["code"]["id"]) == (200, code)


async def test_codes_of_others_are_passed_over(client: TestClient, show: Callable[..., str]) -> None:
    code = show(client.app[SANDBOX])
    status, answer = await look(client, picture("https://elsewhere.example", f"http://phone.test/q/{code}"))
    assert (status, answer["code"]["id"]) == (200, code)


async def test_several_of_ours_are_all_named(client: TestClient, show: Callable[..., str]) -> None:
    codes = [show(client.app[SANDBOX], scene) for scene in ("a", "b")]
    status, answer = await look(client, picture(*(f"http://phone.test/q/{code}" for code in codes)))
    assert (status, answer["reason"]) == (409, "several_codes")
    assert sorted(code["id"] for code in answer["codes"]) == sorted(codes)


@pytest.mark.parametrize("text", ["bind_x", "weixin://dl/business", "https://", "javascript:alert(1)"])
async def test_a_foreign_code_is_none_of_ours(client: TestClient, show: Callable[..., str], text: str) -> None:
    show(client.app[SANDBOX], "bind_x")
    status, answer = await look(client, picture(text))
    assert (status, answer["reason"]) == (404, "foreign_code")


@pytest.mark.parametrize(
    "text", ["https://elsewhere.example", "http://elsewhere.example/q/{code}", "http://phone.test/q/02nothing"]
)
async def test_a_code_that_opens_a_page_is_its_address(
    client: TestClient, show: Callable[..., str], text: str
) -> None:
    text = text.format(code=show(client.app[SANDBOX]))
    assert await look(client, picture("elsewhere", text)) == (200, {"page": text})


async def test_the_code_of_a_websites_login_is_its_consent(client: TestClient) -> None:
    query = {"appid": SITE.appid, "redirect_uri": BACK, "scope": "snsapi_login"}
    await client.get("/connect/qrconnect", params=query | {"response_type": "code"})
    (consent,) = client.app[AUTHORIZATION].open_consents()
    address = client.app[AUTHORIZATION].address(consent)
    assert await look(client, picture("https://elsewhere.example", address)) == (200, {"consent": consent.id})


async def test_a_picture_without_a_code_says_so(client: TestClient) -> None:
    status, answer = await look(client, picture())
    assert (status, answer["reason"]) == (404, "no_code")
    assert "no QR code" in answer["error"]


async def test_what_is_no_picture_says_so(client: TestClient) -> None:
    status, answer = await look(client, b"\x89PNG\r\n\x1a\nnot really")
    assert (status, answer["reason"]) == (400, "not_a_picture")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_picture_too_large_is_refused(client: TestClient, announced: bool) -> None:
    body = bytes(camera_api.LARGEST + 1)

    async def pieces() -> Any:
        yield body

    status, answer = await look(client, io.BytesIO(body) if announced else pieces())
    assert (status, answer["reason"]) == (413, "too_large")


async def test_a_picture_that_does_not_arrive_is_not_waited_for(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_api, "ARRIVES_WITHIN", 0.05)
    never = threading.Event()  # never set: the rest of the body never comes

    async def pieces() -> Any:
        yield b"\x89PNG"
        while not never.is_set():
            await asyncio.sleep(0.01)
            yield b""

    response = await client.post("/sandbox/api/picture", data=pieces(), headers=PNG)
    assert (response.status, (await response.json())["reason"]) == (422, "too_slow")


async def test_without_the_libraries_the_extra_is_named(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "zxingcpp.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    status, answer = await look(client, picture())
    assert (status, answer["reason"]) == (501, "no_reader")
    assert "scanbind[sandbox]" in answer["error"]


@pytest.mark.parametrize("reason", sorted(camera_api.FAULTS.keys() - {"wrong_type"}))  # which the page never sends
def test_the_phone_has_words_for_a_fault_in_both_languages(reason: str) -> None:
    words = (WEB / "words.js").read_text("utf-8")
    assert len(re.findall(rf'\b{reason}: "', words)) == 2


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/svg+xml", ""],
)
async def test_what_a_foreign_page_may_post_unasked_is_not_taken(client: TestClient, kind: str) -> None:
    status, answer = await look(client, picture(), {"Content-Type": kind})
    assert (status, answer["reason"]) == (415, "wrong_type")


async def test_no_foreign_page_is_allowed_to_ask(client: TestClient) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = await client.options("/sandbox/api/picture", headers=asked)
    assert response.status in (403, 405)
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}],
)
async def test_another_sites_page_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    status, _ = await look(client, picture(), {**PNG, **headers})
    assert status == 403


class Slow:
    """Bodies that begin and never end, until `stop`."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def body(self) -> AsyncIterator[bytes]:
        yield b"\x89PNG"
        await self.stopped.wait()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def test_more_pictures_than_there_are_places_for_are_not_even_received(client: TestClient) -> None:
    slow, reader = Slow(), client.app[camera_api._READER]
    held = [asyncio.create_task(look(client, slow.body())) for _ in range(camera_api.PLACES)]
    await until(lambda: reader._free == 0)
    async with asyncio.timeout(20):
        response = await client.post("/sandbox/api/picture", data=slow.body(), headers=PNG)
        assert (response.status, (await response.json())["reason"]) == (429, "busy")
    assert int(response.headers["Retry-After"]) > 0
    slow.stopped.set()
    assert {answer["reason"] for _, answer in await asyncio.gather(*held)} == {"not_a_picture"}
    assert (await look(client, picture()))[0] == 404


async def test_a_place_is_free_again_when_its_client_disconnects(client: TestClient) -> None:
    slow, reader = Slow(), client.app[camera_api._READER]
    held = [asyncio.create_task(look(client, slow.body())) for _ in range(camera_api.PLACES)]
    await until(lambda: reader._free == 0)
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    await until(lambda: reader._free == camera_api.PLACES)
