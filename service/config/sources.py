"""Reads the configuration's sources: a YAML file, overridden by SCANBIND_ variables. Does not validate values.

Faults in a readable source are collected as lines of text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from service.config.secret_files import SecretFiles, file_setting
from service.config.yaml_file import Steps, read_file, shown, shown_path

PREFIX: Final = "SCANBIND_"
LEVELS: Final = "__"

_IP: Final = r"[0-9.]+|[0-9a-f:.]+"
_LINKS: Final = tuple(
    (re.compile(rf"SCANBIND_(?:[A-Z0-9_]+_)?{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", _IP),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", r"\d{1,5}"),
        (r"PORT(?:_\d+_(?:TCP|UDP|SCTP))?", rf"(?:tcp|udp|sctp)://(?:{_IP}|\[[0-9a-f:.]+\]):\d{{1,5}}"),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_PROTO", "tcp|udp|sctp"),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_PORT", r"\d{1,5}"),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_ADDR", _IP),
    )
)


@dataclass(frozen=True, slots=True)
class Shapes:
    """How to parse the text of a variable for a list or a mapping. For other settings the text is the value."""

    kinds: Mapping[Steps, type]
    """By path, where `*` is any name: dict, list, or tuple for a list whose items may contain commas."""
    shorthands: Mapping[str, tuple[str, ...]]
    """By key: the parts for which one word may stand. A variable for one part then changes only that part."""
    keys: frozenset[str] = frozenset()
    """The names of all settings, on every level."""
    secrets: Mapping[Steps, bool] = field(default_factory=dict)
    """The path of each setting that may stand in a file, where `*` is any name or index; whether it is a list."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The merged sources: nested mappings, the variable that set each path, and the faults."""

    values: Mapping[Any, Any] = field(repr=False)
    variables: Mapping[Steps, str]
    faults: tuple[str, ...]
    files: Mapping[Steps, Steps]
    """The path of the setting that names its file, by the path of each secret that was read from one."""
    exposed: tuple[Steps, ...]
    """The paths of such settings whose files other users may read."""


def read(path: Path | None, environ: Mapping[str, str], shapes: Shapes) -> Tree:
    """Read the file at *path* (None: no file) and override it with the variables, path by path.

    Raises UnreadableError if the file is missing or is not a YAML mapping.
    """
    values, duplicates = read_file(path, keys=shapes.keys) if path is not None else ({}, [])
    tree = overlay(values, environ, shapes)
    return replace(tree, faults=(*duplicates, *tree.faults))


def overlay(values: Mapping[Any, Any], environ: Mapping[str, str], shapes: Shapes) -> Tree:
    """Override *values* with the SCANBIND_ variables of *environ*, and read the files that name secrets."""
    links = _service_links(environ)
    variables = {_steps(name): name for name in environ if name.startswith(PREFIX) and name not in links}
    faults = []
    for steps in sorted(variables, key=lambda steps: (len(steps), steps)):
        name = variables[steps]
        try:
            value = _decoded(environ[name], _kind(steps, shapes))
            json.dumps([name, value], ensure_ascii=False).encode()
            values = _put(values, steps, value, shapes.shorthands)
            if (other := _other_form(steps, shapes)) and other not in variables:
                values = _put(values, other, None, shapes.shorthands)
        except UnicodeEncodeError:
            faults.append(f"{shown_path(steps)}: must be UTF-8 text ({shown(name)})")
        except (ValueError, RecursionError):
            faults.append(f"{shown_path(steps)}: is not valid JSON ({shown(name)})")
        except LookupError:
            faults.append(f"{shown_path(steps)}: unknown key ({shown(name)})")
    files = SecretFiles(secrets=shapes.secrets, environ=environ)
    return Tree(files.read(values), variables, tuple(faults), files.settings, tuple(files.exposed))


def links_warning(environ: Mapping[str, str]) -> str:
    """Return a line about the variables of *environ* that are left out, or ''."""
    links = _service_links(environ)
    if not links:
        return ""
    others = f" and {len(links) - 1} more" if len(links) > 1 else ""
    return (
        f"{links[0]}: left out{others}, as Kubernetes sets it for a Service; "
        "set enableServiceLinks: false in the pod, or name the Service differently"
    )


def _service_links(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that Kubernetes sets for a Service whose name begins with scanbind.

    Both name and value must have a shape of theirs, so that mistyped variables are refused.
    """
    return sorted(
        name
        for name, value in environ.items()
        if LEVELS not in name and any(form.fullmatch(name) and shape.fullmatch(value) for form, shape in _LINKS)
    )


def _steps(variable: str) -> Steps:
    return tuple(variable.removeprefix(PREFIX).lower().split(LEVELS))


def _kind(steps: Steps, shapes: Shapes) -> type:
    return next((kind for place, kind in shapes.kinds.items() if _matches(place, steps)), str)


def _other_form(steps: Steps, shapes: Shapes) -> Steps | None:
    """Return the path of a secret's file for that of the secret, and the reverse; None for other settings."""
    for place in shapes.secrets:
        if _matches(place, steps):
            return file_setting(steps)
        if _matches(file_setting(place), steps):
            return (*steps[:-1], place[-1])
    return None


def _decoded(text: str, kind: type) -> object:
    """Parse a variable's text as *kind*: JSON, a comma-separated list, or the text itself.

    Raises ValueError if it starts like JSON but is not valid.
    """
    bare = text.strip()
    if (kind is dict and bare.startswith("{")) or (kind in (list, tuple) and bare.startswith("[")):
        return json.loads(bare)
    if kind is list:
        return [item.strip() for item in bare.split(",") if item.strip()]
    return text


def _matches(place: Steps, steps: Steps) -> bool:
    return len(place) == len(steps) and all(want in ("*", step) for want, step in zip(place, steps, strict=True))


def _put(
    tree: Mapping[Any, Any], steps: Steps, value: object, shorthands: Mapping[str, tuple[str, ...]]
) -> dict[Any, Any]:
    """Return a copy of *tree* with *value* at *steps*. Mappings shared through YAML aliases are not modified.

    Raises LookupError if the path leads through a value that is not a mapping.
    """
    first, *rest = steps
    if not rest:
        return {**tree, first: value}
    below = tree.get(first)
    if isinstance(below, str) and first in shorthands:
        below = dict.fromkeys(shorthands[first], below)
    if below is not None and not isinstance(below, dict):
        raise LookupError(first)
    return {**tree, first: _put(below or {}, tuple(rest), value, shorthands)}
