"""Pictures of the QR code: they contain WeChat's URL, for as long as the ticket lives."""

import re
import struct
import zlib
from xml.etree import ElementTree as ET

import pytest
import segno
from harness import World, problem

from handlers.tickets import qr_code
from service.wechat.api import LONGEST_URL

BORDER = 4
SVG = "{http://www.w3.org/2000/svg}"


def modules(url: str) -> list[list[bool]]:
    """Return the code that says *url*, as another drawing of the same standard has it: dark is True."""
    return [[bool(module) for module in row] for row in segno.make(url, micro=False, error="m").matrix]


def pixels(png: bytes) -> list[list[bool]]:
    """Read a PNG of one bit a pixel, its rows plain (0) or as differences from the one above (2): dark is True."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        chunks[png[at + 4 : at + 8]] = png[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth = struct.unpack_from(">IIB", chunks[b"IHDR"])
    assert depth == 1
    raw, stride = zlib.decompress(chunks[b"IDAT"]), 1 + (width + 7) // 8
    rows, above = [], bytes(stride - 1)
    for kind, *row in (raw[at : at + stride] for at in range(0, height * stride, stride)):
        assert kind in (0, 2)
        above = bytes((one + up * (kind == 2)) & 255 for one, up in zip(row, above, strict=True))
        rows.append(above)
    return [[not row[x // 8] >> (7 - x % 8) & 1 for x in range(width)] for row in rows]


def sampled(picture: list[list[bool]]) -> list[list[bool]]:
    """Return the modules of a picture with a border: the middle of each."""
    dark = [x for row in picture for x, one in enumerate(row) if one]
    scale = min(dark) // BORDER
    middle = range(scale * BORDER + scale // 2, len(picture) - scale * BORDER, scale)
    assert len(picture) == len(picture[0])
    return [[picture[y][x] for x in middle] for y in middle]


def drawn(svg: str, size: int) -> list[list[bool]]:
    """Return the modules that the horizontal strokes of an SVG cover."""
    grid = [[False] * size for _ in range(size)]
    strokes = next(one for one in ET.fromstring(svg).iter(f"{SVG}path") if "stroke" in one.attrib).attrib["d"]
    x = y = 0.0
    for command, first, second in re.findall(r"([Mmh])(-?[0-9.]+)(?:[ ,]?(-?[0-9.]+))?", strokes):
        match command:
            case "M":
                x, y = float(first), float(second)
            case "m":
                x, y = x + float(first), y + float(second)
            case "h":
                for step in range(int(first)):
                    grid[int(y) - BORDER][int(x) + step - BORDER] = True
                x += float(first)
    return grid


async def test_the_png_says_what_wechat_gave(world: World) -> None:
    page = await world.login()
    response = await world.call("GET", page.made["qr_png"])
    assert (response.status, response.content_type) == (200, "image/png")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert sampled(pixels(await response.read())) == modules(page.made["qr_url"])


async def test_the_svg_says_what_wechat_gave_and_holds_no_script(world: World) -> None:
    page = await world.bind("42")
    response = await world.call("GET", page.made["qr_svg"])
    assert (response.status, response.content_type) == (200, "image/svg+xml")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    wanted = modules(page.made["qr_url"])
    text = await response.text()
    assert drawn(text, len(wanted)) == wanted
    assert {one.tag for one in ET.fromstring(text).iter()} <= {f"{SVG}svg", f"{SVG}path"}


async def test_a_picture_is_kept_by_its_page_alone_and_until_the_end_at_most(world: World) -> None:
    page = await world.login()
    world.clock.advance(100)
    for name in ("qr_svg", "qr_png"):
        control = (await world.call("GET", page.made[name])).headers["Cache-Control"]
        assert control.startswith("private, ")
        assert 190 <= int(re.findall(r"max-age=(\d+)", control)[0]) <= 200


async def test_the_size_of_a_png_is_bounded(world: World) -> None:
    page = await world.login()
    usual = len(pixels(await (await world.call("GET", page.made["qr_png"])).read()))
    for size in (128, 360, 1024):
        picture = pixels(await (await world.call("GET", f"{page.made['qr_png']}?size={size}")).read())
        assert size - len(modules(page.made["qr_url"])) - 2 * BORDER < len(picture) <= size
        assert sampled(picture) == modules(page.made["qr_url"])
        assert len(picture) == usual or size != 360
    wrong = [
        "0", "127", "1025", "-360", "+360", "360.0", "3e2", "", "x", " 360", "٣٦٠", "99999", "00128999999",
        "00128" + "9" * 5000, "0x200",
    ]  # fmt: skip
    for text in wrong:
        response = await world.http.get(f"{world.url}{page.made['qr_png']}", params={"size": text})
        assert (await problem(response, 400, "invalid-request"))["detail"].startswith("size: "), text


async def test_a_changed_capability_shows_nothing(world: World) -> None:
    page, other = await world.login(), await world.login()
    path = page.made["qr_svg"]
    capability = path.removeprefix("/v1/qr/").removesuffix(".svg")
    another = other.made["qr_svg"].removeprefix("/v1/qr/").removesuffix(".svg")
    guesses = [
        capability[:at] + ("A" if capability[at] != "A" else "B") + capability[at + 1 :]
        for at in range(len(capability))
    ]
    guesses += [capability[:-1], capability + "A", capability[:32], "A", page.id, page.made["secret"]]
    guesses += [capability[:32] + another[32:], another[:32] + capability[32:]]
    for guess in guesses:
        for kind in ("svg", "png"):
            await problem(await world.call("GET", f"/v1/qr/{guess}.{kind}"), 404, "not-found")
    for path in (f"/v1/qr/{capability}", f"/v1/qr/{capability}.gif", "/v1/qr/.svg", "/v1/qr/"):
        await problem(await world.call("GET", path), 404, "not-found")


async def test_a_picture_ends_with_the_ticket(world: World) -> None:
    world.clock.hold()
    page = await world.login()
    world.clock.advance(298)
    assert (await world.call("GET", page.made["qr_svg"])).status == 200
    world.clock.advance(3)
    for name in ("qr_svg", "qr_png"):
        await problem(await world.call("GET", page.made[name]), 404, "not-found")


async def test_a_capability_reads_no_status(world: World) -> None:
    page = await world.login()
    capability = page.made["qr_svg"].removeprefix("/v1/qr/").removesuffix(".svg")
    headers = {"Authorization": f"Bearer {capability}"}
    response = await world.call("GET", f"/v1/tickets/{page.id}", headers=headers)
    await problem(response, 404, "ticket-not-found")
    assert page.id not in page.made["qr_svg"]
    assert page.made["secret"] not in page.made["qr_svg"]


async def test_a_picture_is_drawn_once_for_repeated_requests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_made` or `_png` keeps nothing: one visitor with one code would keep the service drawing."""
    drawn: list[str] = []
    make, save = segno.make, segno.QRCode.save
    monkeypatch.setattr(segno, "make", lambda *a, **how: drawn.append("made") or make(*a, **how))
    monkeypatch.setattr(
        segno.QRCode, "save", lambda *a, **how: drawn.append(f"{how['kind']} x{how['scale']}") or save(*a, **how)
    )
    page = await world.login()
    for size in (*range(360, 376), 1024) * 3:
        assert (await world.call("GET", f"{page.made['qr_png']}?size={size}")).status == 200
    assert len(drawn) == len(set(drawn)) <= 4, drawn


def test_the_pictures_that_are_kept_fit_into_15_megabytes() -> None:
    """Red when either cache has no bound: a site may have 100,000 codes a day."""
    url = "http://weixin.qq.com/q/".ljust(LONGEST_URL, "x")
    widest = qr_code._LARGEST // qr_code._made(url).symbol_size(border=BORDER)[0]
    largest = max(len(qr_code._png(url, scale)) for scale in range(1, widest + 1))
    assert 0 < largest * qr_code._png.cache_parameters()["maxsize"] < 15_000_000
    assert 0 < qr_code._made.cache_parameters()["maxsize"] <= qr_code._CODES_KEPT
