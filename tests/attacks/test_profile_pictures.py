"""Attacks by the server of a profile picture, over real connections: red when one costs more than the picture.

Each server is at the host of an `api_base`, which may be private; a host of WeChat's must not be.
"""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator

import pytest
from harness import ACCOUNT
from names import Names
from picture_files import HTML, SVG, jpeg_of_scans, png_of_size
from picture_server import (
    API,
    OK,
    PATH,
    PICTURE,
    Script,
    downloading,
    dripping,
    endless,
    fetched,
    ok,
    saying,
    serving,
    silent,
)
from serving import listening

from sandbox.app import AUTHORIZATION, SANDBOX, make_app
from sandbox.faults import PictureFault
from service.identities.picture_encoding import encode
from service.wechat.picture_download import LONGEST, PictureDownload, open_picture_download


@pytest.fixture
async def pictures() -> AsyncIterator[PictureDownload]:
    async with downloading() as opened:
        yield opened


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="service")
    return caplog


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int, pictures: PictureDownload) -> None:
    async with serving(ok(PICTURE)) as target, serving(silent) as server:
        server.script = saying(f"HTTP/1.1 {status} Go\nLocation: {target.base}{PATH}\nContent-Length: 0")
        assert await fetched(pictures, server) is None
        server.script = saying(f"HTTP/1.1 {status} Go\nLocation: {PATH}/again\nContent-Length: 0")
        assert await fetched(pictures, server) is None
    assert (len(server.asked), target.asked) == (2, [])


async def test_no_proxy_of_the_environment_is_used(
    pictures: PictureDownload, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(ok(b"of the proxy")) as proxy, serving(ok(PICTURE)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert await fetched(pictures, server) == PICTURE
    assert proxy.asked == []


@pytest.mark.parametrize(
    "script",
    [ok(bytes(LONGEST + 1)), ok(bytes(20 * LONGEST)), endless],
    ids=["one byte too many", "20 MiB", "without end"],
)
async def test_a_long_answer_is_read_no_further_than_a_mebibyte(
    script: Script, pictures: PictureDownload, logged: pytest.LogCaptureFixture
) -> None:
    """Red when all of it is read, or the connection stays open."""
    async with serving(script) as server:
        assert await fetched(pictures, server) is None
        async with asyncio.timeout(10):
            await server.gone.wait()
    assert f"more than {LONGEST} bytes" in logged.messages[-1]


async def test_a_compressed_answer_stays_compressed(pictures: PictureDownload) -> None:
    """Red when it is unpacked: a few KiB can become a hundred MiB."""
    packed = gzip.compress(bytes(100 * 1024 * 1024))
    async with serving(ok(packed, "Content-Encoding: gzip")) as server:
        assert await fetched(pictures, server) == packed
    assert encode(packed) is None


@pytest.mark.parametrize("script", [silent, dripping], ids=["silent", "dripping"])
async def test_a_slow_server_is_given_up(
    script: Script, pictures: PictureDownload, logged: pytest.LogCaptureFixture
) -> None:
    """Red when each byte that comes extends the time."""
    pictures.time_limit = 0.5
    async with asyncio.timeout(10), serving(script) as server:
        assert await fetched(pictures, server) is None
        assert "TimeoutError" in logged.messages[-1]


@pytest.mark.parametrize(
    "script",
    [saying("SSH-2.0-OpenSSH"), saying(f"{OK}Content-Length: 99", PICTURE[:9]), saying(f"{OK}Content-Length: x"),
     saying(f"{OK}X: " + "x" * 100_000), saying(f"{OK}Transfer-Encoding: chunked", b"zz\r\n"), saying("")],
    ids=["no HTTP", "cut", "bad length", "long header", "bad chunk", "nothing"],
)  # fmt: skip
async def test_a_broken_answer_is_no_picture_and_no_error(script: Script, pictures: PictureDownload) -> None:
    async with serving(script) as server:
        assert await fetched(pictures, server) is None


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"])
async def test_a_host_of_wechats_that_leads_into_a_private_network_is_not_connected_to(
    ip: str, logged: pytest.LogCaptureFixture
) -> None:
    async with open_picture_download(Names([[ip]])) as pictures:
        assert await pictures.fetch(f"https://thirdwx.qlogo.cn{PATH}", api_base=API) is None
    assert logged.messages == ["profile picture: not fetched from thirdwx.qlogo.cn: NotPublic"]


async def test_each_download_resolves_the_name_once() -> None:
    """Red when an address is kept for the next download, or when the check has a look-up of its own."""
    names = Names([["127.0.0.1"]])
    async with serving(ok(PICTURE)) as server, open_picture_download(names) as pictures:
        base = server.base.replace("127.0.0.1", "wechat.internal")
        for looked_up in (1, 2):
            assert await pictures.fetch(base + PATH, api_base=base) == PICTURE
            assert names.asked == ["wechat.internal"] * looked_up


async def test_a_name_that_never_resolves_takes_no_longer_than_a_picture() -> None:
    async with asyncio.timeout(10), open_picture_download(Names([None])) as pictures:
        pictures.time_limit = 0.1
        assert await pictures.fetch("https://wx.qlogo.cn/1", api_base=API) is None


@pytest.mark.parametrize(
    "content",
    [HTML, SVG, png_of_size(30_000, 30_000), jpeg_of_scans(20_000), PICTURE[: len(PICTURE) // 2], b""],
    ids=["HTML", "SVG", "bomb", "scans", "half", "empty"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
async def test_what_is_served_as_a_picture_and_is_none_ends_at_the_encoding(
    content: bytes, pictures: PictureDownload
) -> None:
    async with serving(ok(content, "Content-Type: image/png")) as server:
        answer = await fetched(pictures, server)
    assert answer == content
    assert encode(answer) is None


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("fault", [None, *PictureFault])
async def test_each_fault_of_the_sandbox_costs_the_picture_alone(
    fault: PictureFault | None, pictures: PictureDownload
) -> None:
    app = make_app([ACCOUNT], public_url="http://weixin.qq.com")
    async with listening(app) as base:
        anna = await app[SANDBOX].create_user("Anna")
        app[AUTHORIZATION].pictures.set_fault(anna, fault)
        pictures.time_limit = 0.5 if fault is PictureFault.SLOW else 30
        content = await pictures.fetch(app[AUTHORIZATION].pictures.address(anna, base=base), api_base=base)
    usable = fault in (None, PictureFault.WRONG_TYPE, PictureFault.ANIMATED)
    assert (encode(content or b"") is not None) == usable
