"""Downloads of profile pictures: red when one is not fetched, or a failure is more than a line of the log."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest
from picture_server import API, PATH, PICTURE, downloading, fetched, ok, saying, serving

from service.wechat.picture_download import AT_ONCE, LONGEST, PictureDownload


@pytest.fixture
async def pictures() -> AsyncIterator[PictureDownload]:
    async with downloading() as opened:
        yield opened


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="service")
    return caplog


async def test_a_picture_is_fetched_and_its_server_is_told_little(pictures: PictureDownload) -> None:
    """Red when cookies, credentials or the name and version of a library are sent."""
    async with serving(ok(PICTURE, "Set-Cookie: a=b", "Content-Type: text/html")) as server:
        for _ in range(2):
            assert await fetched(pictures, server) == PICTURE
    for request in server.asked:
        line, *headers = request.rstrip().split("\r\n")
        assert line == f"GET {PATH} HTTP/1.1"
        assert sorted(headers) == [
            "Accept-Encoding: identity",
            "Accept: image/*",
            "Connection: close",
            f"Host: {server.base.removeprefix('http://')}",
            "User-Agent: scanbind",
        ]


@pytest.mark.parametrize("status", [204, 206, 304, 401, 403, 404, 500])
async def test_only_an_ok_is_a_picture(
    status: int, pictures: PictureDownload, logged: pytest.LogCaptureFixture
) -> None:
    async with serving(saying(f"HTTP/1.1 {status} What\nContent-Length: 0")) as server:
        assert await fetched(pictures, server) is None
    assert f"HTTP {status}" in logged.messages[-1]


async def test_a_whole_mebibyte_is_read(pictures: PictureDownload) -> None:
    async with serving(ok(bytes(LONGEST))) as server:
        assert await fetched(pictures, server) == bytes(LONGEST)


async def test_no_server_is_no_picture_and_no_error(
    pictures: PictureDownload, logged: pytest.LogCaptureFixture
) -> None:
    """Red when the log has the path, which is the person's, or when the failure is more than information."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        base = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert await pictures.fetch(base + PATH, api_base=base) is None
    assert logged.messages == ["profile picture: not fetched from 127.0.0.1: ClientConnectorError"]
    assert {record.levelno for record in logged.records} == {logging.INFO}


async def test_another_host_is_never_asked(pictures: PictureDownload, logged: pytest.LogCaptureFixture) -> None:
    async with serving(ok(PICTURE)) as server:
        assert await pictures.fetch(server.base + PATH, api_base=API) is None
    assert server.asked == []
    assert logged.messages == ["profile picture: not fetched, its address is not of WeChat's picture hosts"]


async def test_only_eight_pictures_are_fetched_at_once(pictures: PictureDownload) -> None:
    """Red when slow picture servers can hold any number of connections."""
    at_once, most, release = 0, 0, asyncio.Event()

    async def counting(writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == AT_ONCE:
            asyncio.get_running_loop().call_later(0.2, release.set)  # time for a ninth, if there is one
        await release.wait()
        at_once -= 1
        await ok(PICTURE)(writer)

    async with serving(counting) as server:
        found = await asyncio.gather(*(fetched(pictures, server) for _ in range(2 * AT_ONCE)))
    assert found == [PICTURE] * 2 * AT_ONCE
    assert most == AT_ONCE == 8
