"""Profile pictures are encoded again: red when a file's own bytes, or one that costs much, get through."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import HTML, SVG, halves, jpeg_of_scans, png_of_size, png_of_texts, read, written
from PIL import Image

from service.identities.picture_encoding import SIDE, PictureEncoding, encode, open_picture_encoding

ROOT = Path(__file__).parents[3]
NOISE = Image.frombytes("RGB", (SIDE, SIDE), bytes(number * number % 251 for number in range(3 * SIDE * SIDE)))


def encoded(content: bytes) -> Image.Image:
    result = encode(content)
    assert result is not None
    image = read(result)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def is_red(pixel: object) -> bool:
    assert isinstance(pixel, tuple)
    return bool(pixel[0] > 200 and pixel[1] < 60 and pixel[2] < 60)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_of_each_kind_becomes_a_small_jpeg(kind: str) -> None:
    image = encoded(written(halves((400, 200)), kind))
    assert image.size == (SIDE, SIDE // 2)
    assert is_red(image.getpixel((10, 30)))
    assert not is_red(image.getpixel((120, 30)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_each_way_of_writing_colours_is_read(mode: str) -> None:
    assert encoded(written(Image.new(mode, (300, 10)))).size == (SIDE, 4)


def test_the_colours_of_printers_are_read() -> None:
    assert is_red(encoded(written(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG")).getpixel((10, 10)))


def test_a_small_picture_is_not_enlarged() -> None:
    assert encoded(written(halves((3, 1)))).size == (3, 1)


def test_the_same_file_always_becomes_the_same_file() -> None:
    assert encode(written(NOISE)) == encode(written(NOISE))


def test_the_noisiest_picture_fits_into_a_row() -> None:
    assert len(encode(written(NOISE)) or b"") < 32 * 1024


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_what_is_transparent_becomes_white(kind: str) -> None:
    """Red when it becomes black, as JPEG has no transparency."""
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))
    result = encoded(written(image, kind))
    assert is_red(result.getpixel((5, 20)))
    assert result.getpixel((35, 20)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
def test_an_animation_becomes_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]
    image = encoded(written(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert is_red(image.getpixel((10, 10)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_a_phone_took_sideways_stands_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the left side of the file is the top
    image = encoded(written(halves(), kind, exif=exif))
    assert image.size == (SIDE // 2, SIDE)
    assert is_red(image.getpixel((30, 10)))


def test_no_metadata_is_kept() -> None:
    """Red when Pillow writes the comment that it has read: it does so unless the picture is a new one."""
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    options = {"exif": exif, "comment": b"secret", "icc_profile": b"secret" * 9, "xmp": b"<x>secret</x>"}
    content = written(halves(), "JPEG", **options)
    assert content.count(b"secret") > 3
    result = encode(content)
    assert result is not None
    assert b"secret" not in result
    assert set(read(result).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_nothing_that_was_hidden_in_the_file_is_kept() -> None:
    result = encode(written(halves(), "JPEG") + HTML + b"PK\x03\x04")
    assert result is not None
    assert HTML not in result


BAD = {
    "empty": b"",
    "text": b"a picture",
    "HTML": HTML,
    "SVG": SVG,
    "BMP": written(halves(), "BMP"),
    "TIFF": written(halves(), "TIFF"),
    "ICO": written(halves((16, 16)), "ICO"),
    "PPM": written(halves(), "PPM"),
    "EPS": written(halves(), "EPS"),
    "signature alone": b"\x89PNG\r\n\x1a\n",
    "truncated JPEG": written(NOISE, "JPEG")[:-3000],
    "truncated PNG": written(NOISE)[:-3000],
    "truncated WebP": written(NOISE, "WEBP")[:-3000],
    "truncated GIF": written(NOISE, "GIF")[:-3000],
    "too wide": written(Image.new("1", (2049, 1))),
    "too high": written(Image.new("1", (1, 2049))),
    "WebP too wide": written(Image.new("RGB", (2049, 1)), "WEBP"),
    "bomb": png_of_size(20_000, 20_000),
    "bomb of the largest size": png_of_size(2**31 - 1, 2**31 - 1),
    "no pixels": png_of_size(0, 0),
    "texts": png_of_texts(),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_what_is_no_whole_picture_of_these_kinds_is_refused(content: bytes) -> None:
    assert encode(content) is None


def test_an_image_that_is_refused_by_size_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when the size is looked at after the pixels."""

    decoded: list[object] = []
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_prepare", decoded.append)
    assert encode(written(Image.new("1", (3000, 3000)))) is None
    assert decoded == []


def test_a_jpeg_of_many_scans_is_refused() -> None:
    """Red when only bytes and pixels are limited: 20,000 scans of 4 million pixels take a minute in 780 KiB."""
    assert encode(jpeg_of_scans(10)) is not None
    assert encode(jpeg_of_scans(100)) is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, where Linux tells sizes")
@pytest.mark.parametrize(("kind", "mebibytes"), [("WEBP", 100), ("JPEG", 24)])
def test_the_largest_picture_needs_no_more_memory_than_said(kind: str, mebibytes: int) -> None:
    """Red when a JPEG, as WeChat's pictures are, is decoded at its full size."""
    script = (
        "import re, sys; from service.identities.picture_encoding import encode; file = sys.stdin.buffer.read()\n"
        "def most(): return int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])\n"
        "before = most(); assert encode(file); print(most() - before)"
    )
    content = written(Image.new("RGB", (2048, 2048), "red"), kind)
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, input=content, cwd=ROOT)
    assert int(ran.stdout) < mebibytes * 1024


@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]), st.data())
def test_a_damaged_file_is_refused_or_read_and_never_raises(kind: str, data: st.DataObject) -> None:
    content = bytearray(written(halves((30, 20)), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    result = encode(bytes(content))
    assert result is None or max(read(result).size) <= SIDE


@pytest.fixture
def encoding() -> Iterator[PictureEncoding]:
    with open_picture_encoding() as opened:
        yield opened


async def test_a_picture_is_encoded_beside_the_event_loop(encoding: PictureEncoding) -> None:
    content = written(halves())
    assert await encoding.encode(content) == encode(content)


async def test_an_encoding_that_takes_too_long_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """Red when a login waits for a thread, which cannot be stopped, or when there are more than two."""
    caplog.set_level(logging.INFO)
    release = threading.Event()
    with open_picture_encoding() as opened:
        for _ in range(2):
            opened.threads.submit(release.wait, 5)
        impatient = PictureEncoding(threads=opened.threads, time_limit=0.05)
        result = await impatient.encode(written(halves()))
        release.set()
    assert result is None
    assert "took longer than 0.05 s" in caplog.text
