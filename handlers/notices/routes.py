"""The address that notices lead to, which people open (contract.md 9)."""

from typing import Final

from handlers.http import patterns
from handlers.http.operation import TEXT, Answer, Operation, in_path, text
from handlers.http.request_body import FORM
from handlers.notices import undo
from models import errors

_TAG: Final = "sign_in_pages"
_HTML: Final = {"text/html": TEXT}
_PATH: Final = "/undo/{capability}"
_CAPABILITY: Final = in_path("capability", text(53, patterns.BINDING_PERMIT), "From a notice in the chat.")
_PAGES: Final = {
    400: Answer("The address is not genuine.", _HTML),
    429: Answer("Too many pages were opened from this address.", _HTML, ("Retry-After",)),
    503: Answer("A store is unavailable.", _HTML, ("Retry-After",)),
}

OPERATIONS: Final = (
    Operation(
        *(_TAG, "showUndo", "GET", _PATH, undo.show),
        parameters=(_CAPABILITY,),
        answers={200: Answer("A page with what was bound, and whether it can be undone.", _HTML), **_PAGES},
    ),
    Operation(
        *(_TAG, "undoBind", "POST", _PATH, undo.undo),
        parameters=(_CAPABILITY,),
        raw_body={FORM: {"type": "object", "required": ["token"], "properties": {"token": text(53)}}},
        answers={
            303: Answer("To the page, which shows what became of the binding.", headers=("Location",)),
            403: Answer("Another page's form; nothing was changed.", _HTML),
            **_PAGES,
        },
        refuses=(errors.PayloadTooLarge, errors.UnsupportedMediaType),
    ),
)
