"""The picture files that the configuration names, checked and read with it."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator

from models.picture import media_type
from service.config.fault import Fault
from service.config.types import file_path

_LARGEST: Final = 1 << 20


def _read(value: object) -> object:
    if value == "":
        return None
    if not isinstance(value, str):
        return value
    file_path(value)
    path = Path(value)
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait
            raise Fault("is not a file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise Fault(f"cannot be read: {error.strerror}") from None
    if media_type(content) is None:
        raise Fault("must be a PNG or JPEG picture")
    if len(content) > _LARGEST:
        raise Fault("is larger than 1 MiB")
    return content


Picture = Annotated[bytes | None, BeforeValidator(_read)]
"""The content of a PNG or JPEG file of at most 1 MiB, given by its path; an empty string for none."""
