"""Reads the configuration's sources: a YAML file, overridden by SCANBIND_ variables. Does not validate values.

Faults in a readable source are collected as lines of text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

PREFIX: Final = "SCANBIND_"
LEVELS: Final = "__"

Steps = tuple[str, ...]
"""A path in the tree: `("server", "port")`."""


class UnreadableError(Exception):
    """The file cannot be read or parsed; the text is the fault."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """How to parse the text of a variable for a list or a mapping. For other settings the text is the value."""

    kinds: Mapping[Steps, type]
    """By path, where `*` is any name: dict, list, or tuple for a list whose items may contain commas."""
    shorthands: Mapping[str, tuple[str, ...]]
    """By key: the parts for which one word may stand. A variable for one part then changes only that part."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The merged sources: nested mappings, the variable that set each path, and the faults."""

    values: Mapping[Any, Any] = field(repr=False)
    variables: Mapping[Steps, str]
    faults: tuple[str, ...]


def read(path: Path | None, environ: Mapping[str, str], shapes: Shapes) -> Tree:
    """Read the file at *path* (None: no file) and override it with the variables, path by path.

    Raises UnreadableError if the file is missing or is not a YAML mapping.
    """
    values, duplicates = _read_file(path) if path is not None else ({}, [])
    tree = overlay(values, environ, shapes)
    return replace(tree, faults=(*duplicates, *tree.faults))


def overlay(values: Mapping[Any, Any], environ: Mapping[str, str], shapes: Shapes) -> Tree:
    """Override *values* with the SCANBIND_ variables of *environ*."""
    variables = {_steps(name): name for name in environ if name.startswith(PREFIX)}
    faults = []
    for steps in sorted(variables, key=lambda steps: (len(steps), steps)):
        name = variables[steps]
        try:
            value = _decoded(environ[name], _kind(steps, shapes))
            values = _put(values, steps, value, shapes.shorthands)
        except (ValueError, RecursionError):
            faults.append(f"{shown('.'.join(steps))}: is not valid JSON ({shown(name)})")
        except LookupError:
            faults.append(f"{shown('.'.join(steps))}: unknown key ({shown(name)})")
    return Tree(values, variables, tuple(faults))


def shown(text: str) -> str:
    """Return *text*, escaped unless it is printable on one line of a terminal."""
    return text if text.isprintable() else ascii(text)


def _read_file(path: Path) -> tuple[dict[Any, Any], list[str]]:
    """Return the file's content and its faults. YAML's own messages are dropped: they may quote a secret."""
    name = shown(str(path))
    try:
        text = path.read_bytes()
        duplicates = list(_duplicates(yaml.compose(text, Loader=yaml.SafeLoader), (), seen=set()))
        written = yaml.safe_load(text)
    except OSError as error:
        raise UnreadableError(f"{name}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError) as error:
        # PyYAML raises the last two for tags and keys that it cannot construct.
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise UnreadableError(f"{name}: is not YAML{where}; quote values with special characters") from None
    if not isinstance(written, dict | None):
        raise UnreadableError(f"{name}: must be a mapping of keys to values")
    return written or {}, duplicates


def _duplicates(node: yaml.Node | None, steps: Steps, *, seen: set[int]) -> Iterator[str]:
    """Yield a fault for each duplicate key of a mapping; PyYAML would silently use the last one."""
    if node is None or id(node) in seen:  # reached again through an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            name = str(key.value)  # a key that is a list equals no other
            inside = (*steps, name)
            if name in keys:
                yield f"{shown('.'.join(inside))}: duplicate key (line {key.start_mark.line + 1})"
            keys.add(name)
            yield from _duplicates(value, inside, seen=seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _duplicates(item, (*steps, str(index)), seen=seen)


def _steps(variable: str) -> Steps:
    return tuple(variable.removeprefix(PREFIX).lower().split(LEVELS))


def _kind(steps: Steps, shapes: Shapes) -> type:
    return next((kind for place, kind in shapes.kinds.items() if _matches(place, steps)), str)


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
