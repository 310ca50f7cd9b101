"""Decodes pictures one at a time, in a process that is killed on timeout or cancellation."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sandbox import qr_decoder
from sandbox.qr_decoder import BadPicture

LOOKS_FOR: Final = 5.0
"""The timeout of decoding, in seconds."""
PLACES: Final = 4
"""How many pictures are accepted at a time: one is decoded, the others wait."""


class Full(Exception):
    """All places are taken."""


class QrReader:
    """Reads QR codes from pictures. Take a place before receiving a picture, which may have megabytes."""

    def __init__(self) -> None:
        self._free = PLACES
        self._decoding = asyncio.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for a picture; raise Full."""
        if not self._free:
            raise Full
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def read(self, picture: bytes) -> list[str]:
        """Return the texts of the QR codes in the picture, as `qr_decoder.texts_in`; raise BadPicture."""
        async with self._decoding:
            return await _decode(picture)


async def _decode(picture: bytes) -> list[str]:
    # By file and with -P: modules in the current directory or beside the file must not shadow a library.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", qr_decoder.__file__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(LOOKS_FOR):
            written, _ = await process.communicate(picture)
    except TimeoutError as e:
        raise BadPicture("too_slow") from e
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _parse(written)


def _parse(written: bytes) -> list[str]:
    """Return the texts in the decoder's output; raise BadPicture with its reason, or if it crashed."""
    try:
        answer = json.loads(written)
    except ValueError as e:
        raise BadPicture("not_a_picture") from e
    if "reason" in answer:
        raise BadPicture(answer["reason"])
    return list(answer["texts"])
