"""The picture files that the configuration names, checked when it is read."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

from service.config.fault import Fault
from service.config.types import file_path

_LARGEST: Final = 1 << 20
_SIGNATURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def _given(value: object) -> object:
    return None if value in ("", None) else file_path(value)


def _checked(path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait
            raise Fault("is not a file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise Fault(f"cannot be read: {error.strerror}") from None
    if not content.startswith(_SIGNATURES):
        raise Fault("must be a PNG or JPEG picture")
    if len(content) > _LARGEST:
        raise Fault("is larger than 1 MiB")
    return path


Picture = Annotated[Path | None, BeforeValidator(_given), AfterValidator(_checked)]
"""The path of a PNG or JPEG file of at most 1 MiB; an empty string for none."""
