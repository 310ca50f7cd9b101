"""The endpoints of bindings (contract.md 5)."""

from typing import Final

from handlers.bindings import bindings, profile_pictures, schemas
from handlers.http import patterns
from handlers.http.authentication import CLIENT
from handlers.http.operation import NAME, Answer, Operation, in_path, in_query, json_body, text
from handlers.http.pictures import DOWNLOAD
from handlers.http.schemas import USER_ID
from models import errors

_TAG: Final = "bindings"
_USER: Final = "/v1/bindings/{user_id:[^/]+}"  # an id may contain braces, which a plain `{user_id}` does not match
_USER_ID: Final = in_path(
    "user_id",
    USER_ID.json_schema(),
    "The site's own id of its user: printable, neither `.` nor `..`, stored exactly as sent.",
)

OPERATIONS: Final = (
    Operation(
        *(_TAG, "createBinding", "POST", "/v1/bindings", bindings.create),
        caller=CLIENT,
        body=schemas.BindingRequest,
        answers={
            201: json_body("Bound.", schemas.BindingMade),
            200: json_body("Already bound by the same call.", schemas.BindingMade),
        },
        refuses=(errors.InvalidCode, errors.AccountNotConfigured, errors.BindingConflict),
    ),
    Operation(
        *(_TAG, "readBindings", "GET", _USER, bindings.read),
        caller=CLIENT,
        parameters=(_USER_ID,),
        answers={200: json_body("All of the user's bindings.", schemas.Bindings)},
    ),
    Operation(
        *(_TAG, "deleteBindings", "DELETE", _USER, bindings.delete),
        caller=CLIENT,
        parameters=(_USER_ID, in_query("account", NAME, "Disconnect only this account.")),
        answers={204: Answer("Disconnected.")},
        refuses=(errors.BindingNotFound,),
    ),
    Operation(
        *(_TAG, "readProfilePicture", "GET", "/v1/profile-pictures/{capability}", profile_pictures.picture),
        parameters=(
            in_path("capability", text(53, patterns.PICTURE_PERMIT), "From `picture` of a profile."),
            DOWNLOAD,
        ),
        answers={200: Answer("The picture, scaled down.", {"image/jpeg": {}})},  # bytes have no schema
        refuses=(errors.NotFound,),
    ),
)
