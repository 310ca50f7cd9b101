"""The addresses of the service's own pages."""

from typing import Final

from handlers.http.operation import TEXT, Answer, Operation, in_path
from handlers.pages import pages
from models import errors

_HTML: Final = {"text/html": TEXT}
_SLUG: Final = in_path("slug", {"enum": list(pages.BY_SLUG)}, "The end of a problem's `type`.")

OPERATIONS: Final = (
    Operation(
        *("pages", "showFrontPage", "GET", "/", pages.front),
        answers={200: Answer("A page that names the service, its version and its documents.", _HTML)},
    ),
    Operation(
        *("pages", "explainProblem", "GET", "/problems/{slug}", pages.problem),
        parameters=(_SLUG,),
        answers={200: Answer("A page about the problem.", _HTML)},
        refuses=(errors.NotFound,),
    ),
)
