"""Red when a file counts as a picture that is none, or as one of another kind."""

import pytest

from models.picture import JPEG, PNG, media_type


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\nrest", PNG),
        (b"\xff\xd8\xff\xe0rest", JPEG),
        (b"\x89PNG", None),
        (b" \x89PNG\r\n\x1a\n", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"GIF89a", None),
        (b"", None),
    ],
)
def test_the_kind_of_a_picture_is_how_it_begins(content: bytes, kind: str | None) -> None:
    assert media_type(content) == kind
