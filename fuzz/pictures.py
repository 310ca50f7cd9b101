"""The encoding of profile pictures: `python -m fuzz.pictures`. Mutates files of each kind that is read.

The decoders are libraries, which atheris cannot instrument, so mutation is blind; a crash of one ends the process.
"""

import argparse
import io
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from service.identities.picture_encoding import SIDE, encode

_KINDS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_FOUND: Final = Path("build/fuzz/picture")
_MOST_SECONDS: Final = 2.0
_LONGEST: Final = 32 * 1024
_NUMBERS: Final = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return *content* with some bytes replaced, repeated or cut out."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(made) or 1)
        piece = bytes(made[at : at + chance.randint(1, 40)])
        choice = chance.choice((chance.randbytes(1), *_NUMBERS, piece * chance.randint(2, 9), b""))
        made[at : at + (len(choice) or len(piece))] = choice
    return bytes(made)


def tried(content: bytes) -> tuple[bytes | None, str | None]:
    """Encode *content*; return the result, and what is wrong with it or None."""
    began = time.monotonic()
    result = encode(content)
    seconds = time.monotonic() - began
    wrong = f"it took {seconds:.1f} s" if seconds > _MOST_SECONDS else None
    return result, wrong or (fault(result) if result is not None else None)


def fault(result: bytes) -> str | None:
    """Return what is wrong with an encoded picture; None if nothing is."""
    image = Image.open(io.BytesIO(result))
    image.load()
    right = image.format == "JPEG" and max(image.size) <= SIDE and len(result) <= _LONGEST
    return None if right else f"{image.format} of {image.size}, {len(result)} bytes"


def seeds() -> list[bytes]:
    """Return files of each kind and several ways of writing colours."""
    found = []
    for kind in _KINDS:
        for mode in ("L", "RGB", "RGBA", "P", "CMYK"):
            file = io.BytesIO()
            image = Image.effect_noise((40, 30), 90).convert("RGB").convert(mode)
            frames = {} if kind == "JPEG" else {"save_all": True, "append_images": [image.rotate(90)]}
            try:
                image.save(file, kind, **frames)
            except (OSError, ValueError):
                continue  # this kind has no such colours
            found.append(file.getvalue())
    return found


def run(runs: int, *, seed: int) -> tuple[int, str | None]:
    """Encode this many mutations; return how many were read, and the first fault, whose file is saved before."""
    chance, files, taken = random.Random(seed), seeds(), 0
    _FOUND.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(runs):
        content = mutated(chance.choice(files), chance)
        _FOUND.write_bytes(content)  # before it is read: a decoder may end the process
        result, wrong = tried(content)
        if wrong:
            return taken, wrong
        taken += result is not None
    return taken, None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.pictures")
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("cases", nargs="*", type=Path, metavar="FILE", help="encode these files again and exit")
    given = parser.parse_args(arguments)
    if given.cases:
        faults = [(file, tried(file.read_bytes())[1]) for file in given.cases]
        print(*(f"{file}: {wrong or 'no fault'}" for file, wrong in faults), sep="\n")
        return int(any(wrong for _, wrong in faults))
    taken, wrong = run(given.runs, seed=given.seed)
    if wrong:
        print(f"FAULT: {wrong}\n\nagain: python -m fuzz.pictures {_FOUND}")
        return 1
    print(f"pictures: {given.runs} runs, no fault; {taken} were read")
    return 0


if __name__ == "__main__":
    sys.exit(main())
