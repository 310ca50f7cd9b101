"""Writes one line for each fault that pydantic reports, beginning with the path. A line never quotes a value."""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.config import sources
from service.config.apps import kinds_with
from service.config.fault import Fault
from service.config.secret_files import Unread
from service.config.yaml_file import Steps, is_key, shown, shown_path

_MESSAGES: Final = {
    "missing": "is missing",
    "invalid_key": "must be a string; quote it",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "bytes_type": "must be a string; quote it",
    "path_type": "must be a string; quote it",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_unicode": "must be UTF-8 text",
}


def fault_lines(error: ValidationError, tree: sources.Tree) -> Iterator[str]:
    """Yield a line for each fault of *tree*; a variable that set the value is named."""
    for item in error.errors(include_url=False):
        if item["type"] == "default_factory_not_called":  # only reported beside the fault that caused it
            continue
        fault = item.get("ctx", {}).get("error")
        below = fault.below if isinstance(fault, Fault) else ()
        steps = (*_steps(item), *below)
        steps = tree.files.get(steps, steps)
        variable = _variable_at(steps, tree.variables)
        message = item["input"].fault if isinstance(item["input"], Unread) else _message(item)
        origin = f" ({shown(variable)})" if variable else ""
        yield f"{shown_path(steps) or sources.PREFIX}: {message}{origin}"


def _steps(item: ErrorDetails) -> Steps:
    steps = tuple(str(step) for step in item["loc"] if step != "[key]")
    # pydantic puts the kind of an app after its name.
    return steps[:2] + steps[3:] if steps[:1] == ("apps",) else steps


def _message(item: ErrorDetails) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if isinstance(context.get("error"), Fault):
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown_key(item["loc"])
    if kind == "enum" and item["loc"][-1] == "[key]":
        return "unknown key"
    if kind in ("enum", "literal_error"):
        return "must be " + str(context["expected"]).replace("'", "")
    if kind == "string_type":
        return "must be a string" if isinstance(item["input"], list | dict) else "must be a string; quote it"
    return _MESSAGES.get(kind, "is not valid")


def _unknown_key(place: tuple[int | str, ...]) -> str:
    key = str(place[-1])
    if not is_key(key):
        return "unknown key; write a colon and a space between key and value"
    kinds = kinds_with(key) if place[0] == "apps" else []
    return f"is for kind {' or '.join(kinds)}" if kinds else "unknown key"


def _variable_at(steps: Steps, variables: Mapping[Steps, str]) -> str | None:
    """Return the variable that set the value at *steps*, or a value above or below it."""
    above = (variables.get(steps[:length]) for length in range(len(steps), 0, -1))
    below = (name for path, name in sorted(variables.items()) if path[: len(steps)] == steps)
    return next(filter(None, above), None) or next(below, None)
