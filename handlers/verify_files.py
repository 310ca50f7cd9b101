"""Serves the files of `verify_files`, by which the owner of a host proves to WeChat that it is theirs."""

from typing import Final

from aiohttp import web

from handlers.http.operation import TEXT, Answer, Operation, in_path, text
from models import errors
from service.app_keys import SETTINGS

_NAME: Final = "[A-Za-z0-9_]+"
_CACHING: Final = "public, max-age=300, no-transform"


async def verify_file(request: web.Request) -> web.Response:
    """Return a configured file that proves to WeChat who owns this host."""
    content = request.app[SETTINGS].verify_files.get(f"{request.match_info['file']}.txt")
    if content is None:
        raise errors.NotFound
    return web.Response(text=content, headers={"Cache-Control": _CACHING})


OPERATIONS: Final = (
    Operation(
        *("pages", "readVerifyFile", "GET", f"/{{file:{_NAME}}}.txt", verify_file),
        parameters=(in_path("file", text(64, _NAME), "The file's name without its ending."),),
        answers={200: Answer("The file's content.", {"text/plain": TEXT})},
        refuses=(errors.NotFound,),
    ),
)
