"""Looks at one picture at a time, in a process that ends when the time is over or nobody waits for it any more."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sandbox import qr_decoder
from sandbox.qr_decoder import BadPicture

LOOKS_FOR: Final = 5.0
"""Seconds."""
PLACES: Final = 4
"""One picture is looked at, the others wait."""


class Full(Exception):
    """As many pictures as there are places for are here already."""


class QrReader:
    """Reads codes out of pictures. Take a place before the picture is even received: each may be megabytes."""

    def __init__(self) -> None:
        self._free = PLACES
        self._looking = asyncio.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for a picture; raise Full."""
        if not self._free:
            raise Full
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def read(self, picture: bytes) -> list[str]:
        """Return what the QR codes in the picture say, as `qr_decoder.texts_in` does; raise BadPicture."""
        async with self._looking:
            return await _look(picture)


async def _look(picture: bytes) -> list[str]:
    # By its file and with -P: neither the folder this was started in nor the package's own may shadow a library.
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
    return _understood(written)


def _understood(written: bytes) -> list[str]:
    """Return the texts the program found; raise BadPicture for what it says, or as it was ended by the picture."""
    try:
        answer = json.loads(written)
    except ValueError as e:
        raise BadPicture("not_a_picture") from e
    if "reason" in answer:
        raise BadPicture(answer["reason"])
    return list(answer["texts"])
