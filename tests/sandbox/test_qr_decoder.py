"""QR codes are found in pictures of every kind, and other files are refused."""

import io
import json
import struct
import subprocess
import sys
import zlib
from typing import Any

import pytest
import segno
from PIL import Image, ImageOps

from sandbox.qr_decoder import FORMATS, MOST_PIXELS, BadPicture, texts_in

ADDRESS = "http://192.0.2.7:8082/q/02abcdefghij0123456789"


def drawn(text: str = ADDRESS, *, scale: int = 6, **colours: Any) -> Image.Image:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=scale, border=4, **colours)
    return Image.open(out)


def packed(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def page(*codes: Image.Image, size: tuple[int, int] = (2560, 6000)) -> Image.Image:
    """A dark page at two pixels each way, its codes far down, one beside the other."""
    image = Image.new("RGB", size, "#0b0e0d")
    for number, code in enumerate(codes):
        image.paste(code.convert("RGB"), (200 + number * 800, size[1] - 900))
    return image


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "image",
    [
        drawn(),
        drawn(scale=2),
        ImageOps.invert(drawn().convert("L")),
        drawn(light=None),
        drawn(dark="white", light=None),
        drawn().convert("L").rotate(30, expand=True, fillcolor=255),
        drawn().convert("P"),
        page(drawn()),
    ],
    ids=["plain", "small", "inverted", "on nothing", "white on nothing", "turned", "palette", "a dark page at 2x"],
)
def test_a_code_is_found_however_it_is_drawn(image: Image.Image) -> None:
    assert texts_in(packed(image)) == [ADDRESS]


@pytest.mark.parametrize("kind", FORMATS.values())
def test_every_format_is_read(kind: str) -> None:
    assert texts_in(packed(drawn().convert("RGB"), kind)) == [ADDRESS]


def test_all_codes_of_a_picture_are_found_each_text_once() -> None:
    assert sorted(texts_in(packed(page(drawn(), drawn("another"), drawn())))) == sorted([ADDRESS, "another"])


def test_a_picture_without_a_code_holds_nothing() -> None:
    assert texts_in(packed(Image.new("L", (300, 200), 200))) == []


@pytest.mark.parametrize(
    "picture",
    [b"", b"<svg/>", packed(drawn())[:200], packed(drawn(), "GIF"), bomb(10, 10)],
    ids=["nothing", "svg", "cut off", "gif", "no pixels"],
)
def test_what_cannot_be_read_is_not_a_picture(picture: bytes) -> None:
    with pytest.raises(BadPicture) as told:
        texts_in(picture)
    assert told.value.reason == "not_a_picture"


@pytest.mark.parametrize(
    ("width", "height"), [(MOST_PIXELS // 1000 + 1, 1000), (10_000, 10_000), (60_000, 60_000)]
)
def test_too_many_pixels_are_never_unpacked(width: int, height: int) -> None:
    with pytest.raises(BadPicture) as told:
        texts_in(bomb(width, height))
    assert told.value.reason == "too_many_pixels"


@pytest.mark.parametrize("library", ["zxingcpp", "PIL"])
def test_without_the_libraries_it_says_so(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(BadPicture) as told:
        texts_in(packed(Image.new("L", (30, 20))) if library == "zxingcpp" else b"anything")
    assert told.value.reason == "no_reader"


def told(picture: bytes, *, memory: int | None = None) -> dict[str, Any]:
    """Run the program as it is run; with `memory`, it may take so many MiB beside those it begins with."""
    program = ["import PIL.Image, resource, zxingcpp", "from sandbox import qr_decoder"]
    if memory is not None:
        program += ["taken = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()"]
        program += [f"qr_decoder._MOST_MEMORY = taken + {memory * 2**20}"]
    command = [sys.executable, "-c", "\n".join([*program, "qr_decoder.main()"])]
    done = subprocess.run(command, input=picture, capture_output=True, check=True)
    return dict(json.loads(done.stdout))


def test_the_program_tells_the_texts_or_the_reason() -> None:
    assert told(packed(drawn())) == {"texts": [ADDRESS]}
    assert told(b"no picture") == {"reason": "not_a_picture"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system may not bound a process")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_largest_picture_there_may_be_needs_little_memory(mode: str, kind: str) -> None:
    largest = Image.new(mode, (MOST_PIXELS // 4000, 4000))
    largest.paste(drawn().convert(mode), (200, 200))
    assert told(packed(largest, kind), memory=480) == {"texts": [ADDRESS]}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system may not bound a process")
def test_a_picture_that_needs_more_memory_than_there_is_says_so() -> None:
    largest = packed(Image.new("RGBA", (MOST_PIXELS // 4000, 4000)))
    assert told(largest, memory=100) == {"reason": "too_many_pixels"}
