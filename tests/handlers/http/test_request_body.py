"""JSON bodies are read strictly, and refusals name the field without quoting what was sent."""

import asyncio
from typing import Annotated, Any

import pytest
from aiohttp import web
from pydantic import Field, TypeAdapter

from handlers.http import request_body
from handlers.http.request_body import check, could_name, read, shown
from handlers.http.schemas import RequestBody
from models.errors import InvalidRequest, UnsupportedMediaType


class Order(RequestBody):
    name: Annotated[str, Field(max_length=5)]
    count: int = 1
    gift: bool = False


ORDER = TypeAdapter(Order)


@pytest.fixture
async def post(aiohttp_client: Any) -> Any:
    """Post a body; return the order that was read, or the refusal."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response((await read(request, ORDER)).model_dump())
        except (InvalidRequest, UnsupportedMediaType) as e:
            return web.json_response({type(e).__name__: e.detail})

    app = web.Application()
    app.router.add_post("/", handle)
    client = await aiohttp_client(app)

    async def send(data: Any, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await client.post("/", data=data, headers={"Content-Type": "application/json", **named})
        return await response.json()

    return send


async def test_a_body_is_read_as_its_shape(post: Any) -> None:
    assert await post(b'{"name": "tea"}') == {"name": "tea", "count": 1, "gift": False}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "name: "),
        (b'{"name": 1}', "name: "),
        (b'{"name": "s3cret"}', "name: "),
        (b'{"name": "tea", "gift": "s3cret"}', "gift: "),
        (b'{"name": "tea", "more": "s3cret"}', "more: "),
        (b'{"name": "tea", "mo\\u202ere": "s3cret"}', "mo?re: "),
        (b'["s3cret"]', ""),
        (b'{"name": "tea", "name": "s3cret"}', ""),
        (b'{"name": "s3cret"', ""),
        (b'{"name": "s3cret\xff"}', ""),
        (b'{"name": "s3cret\\ud800"}', "the body is not JSON in UTF-8"),
        (b"[" * 4000, ""),
        (b"", ""),
    ],
)
async def test_a_fault_names_the_field_and_quotes_no_value(post: Any, body: bytes, field: str) -> None:
    """Red when `_fault` shows pydantic's input, or a decoder's own error is shown."""
    told = await post(body)
    assert told["InvalidRequest"].startswith(field)
    assert told["InvalidRequest"].strip()
    assert "s3cret" not in told["InvalidRequest"]
    assert "\u202e" not in told["InvalidRequest"]


async def test_at_most_five_faults_are_named(post: Any) -> None:
    told = await post("{" + ", ".join(f'"f{number}": 1' for number in range(9)) + "}")
    assert told["InvalidRequest"].count(";") == 4


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/problem+json"])
async def test_another_media_type_is_refused(post: Any, kind: str) -> None:
    """Red when any body is read as JSON: pages may post these types to other origins without a preflight."""
    assert list(await post(b'{"name": "tea"}', Content_Type=kind)) == ["UnsupportedMediaType"]


@pytest.mark.parametrize(
    ("coding", "refused"), [("gzip", True), ("identity, br", True), ("Identity", False), ("", False)]
)
async def test_a_compressed_body_is_refused_unread(post: Any, coding: str, refused: bool) -> None:
    told = await post(b'{"name": "tea"}', Content_Encoding=coding)
    assert ("UnsupportedMediaType" in told) is refused


async def test_a_body_that_does_not_arrive_is_refused(post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "_ARRIVES_WITHIN", 0.05)
    released = asyncio.Event()

    async def slow() -> Any:
        yield b'{"name": '
        await released.wait()

    sending = asyncio.create_task(post(slow()))
    try:
        async with asyncio.timeout(10):
            assert list(await sending) == ["InvalidRequest"]
    finally:
        released.set()


def test_a_value_that_is_no_object_is_named_by_the_caller() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(TypeAdapter(Annotated[str, Field(max_length=2)]), "s3cret", name="state")
    assert caught.value.detail.startswith("state: ")
    assert "s3cret" not in caught.value.detail
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "fits"), [("main", True), ("公众号", True), ("a" * 64, True), ("a" * 65, False), ("a\x00", False)]
)
def test_a_text_that_can_be_no_account_is_told_without_sql(text: str, fits: bool) -> None:
    assert could_name(text) is fits


def test_names_of_fields_are_shown_without_control_characters_and_cut() -> None:
    assert shown("a\n\u202e b") == "a???b"
    assert shown("é商1-") == "é商1-"
    assert len(shown("x" * 1000)) == 64
