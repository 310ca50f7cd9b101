"""The endpoints that only the doctor can use (docs/adr/0045)."""

from typing import Final

from handlers.http.operation import LINE, TEXT, Answer, Operation, in_path, json_body, text
from handlers.probe import probe
from models import errors
from service.doctor.probe import TOKEN, Sight

_TAG: Final = "probe"
_TOKEN: Final = {
    "in": "header",
    "name": TOKEN,
    "schema": LINE,
    "description": "The token that `scanbind doctor` derives from `secret_key`; valid for a minute.",
}

OPERATIONS: Final = (
    Operation(
        *(_TAG, "readProbe", "GET", "/v1/probe/{segment}", probe.look),
        parameters=(in_path("segment", text(64), "Any text."), _TOKEN),
        answers={200: json_body("What the service saw of this request.", Sight, "ETag")},
        refuses=(errors.NotFound,),
        head=False,
    ),
    Operation(
        *(_TAG, "streamProbe", "GET", "/v1/probe-stream", probe.stream),
        parameters=(_TOKEN,),
        answers={200: Answer("Two pieces of a stream, a second apart.", {"text/event-stream": TEXT})},
        refuses=(errors.NotFound,),
        head=False,
    ),
)
