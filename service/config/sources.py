"""Where the configuration is written: a YAML file, then SCANBIND_ variables over it. Shapes only; no meaning.

What is wrong in a readable source becomes a fault, a line of text, beside the rest.
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
    """The file cannot be read at all; the text is the fault."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """How the text of a variable is read where a list or a mapping stands. Elsewhere it is the value."""

    kinds: Mapping[Steps, type]
    """By path, where `*` is any name: dict, list, or tuple for a list in whose items commas may stand."""
    shorthands: Mapping[str, tuple[str, ...]]
    """By key: one word there stands for all of these, so a variable below it changes one of them."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What was written: nested mappings, which variable set which path, and what was wrong with the writing."""

    values: Mapping[Any, Any] = field(repr=False)
    variables: Mapping[Steps, str]
    faults: tuple[str, ...]


def read(path: Path | None, environ: Mapping[str, str], shapes: Shapes) -> Tree:
    """Read the file at *path* (None: there is none), then the variables; the later wins, path by path.

    Raises UnreadableError when the file is missing or is no YAML mapping.
    """
    values, twice = _read_file(path) if path is not None else ({}, [])
    tree = overlay(values, environ, shapes)
    return replace(tree, faults=(*twice, *tree.faults))


def overlay(values: Mapping[Any, Any], environ: Mapping[str, str], shapes: Shapes) -> Tree:
    """Write the SCANBIND_ variables of *environ* over *values*."""
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
    """Return *text* fit for one line of a terminal."""
    return text if text.isprintable() else ascii(text)


def _read_file(path: Path) -> tuple[dict[Any, Any], list[str]]:
    """Return what the file holds and its faults. YAML's own words are dropped: they may quote a secret."""
    name = shown(str(path))
    try:
        text = path.read_bytes()
        twice = list(_twice(yaml.compose(text, Loader=yaml.SafeLoader), (), seen=set()))
        written = yaml.safe_load(text)
    except OSError as error:
        raise UnreadableError(f"{name}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError) as error:
        # the last two are PyYAML's own, for tags and keys that it cannot make
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise UnreadableError(f"{name}: is not YAML{where}; quote any value with a sign in it") from None
    if not isinstance(written, dict | None):
        raise UnreadableError(f"{name}: must be a mapping of keys to values")
    return written or {}, twice


def _twice(node: yaml.Node | None, steps: Steps, *, seen: set[int]) -> Iterator[str]:
    """Yield a fault for each key that stands twice in one mapping: YAML would keep one in silence."""
    if node is None or id(node) in seen:  # an alias leads back to where we have been
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            name = str(key.value)  # a key may be a list, and then no other's equal
            inside = (*steps, name)
            if name in keys:
                yield f"{shown('.'.join(inside))}: is there twice (line {key.start_mark.line + 1})"
            keys.add(name)
            yield from _twice(value, inside, seen=seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _twice(item, (*steps, str(index)), seen=seen)


def _steps(variable: str) -> Steps:
    return tuple(variable.removeprefix(PREFIX).lower().split(LEVELS))


def _kind(steps: Steps, shapes: Shapes) -> type:
    return next((kind for place, kind in shapes.kinds.items() if _stands(place, steps)), str)


def _decoded(text: str, kind: type) -> object:
    """Read a variable's text as its place in the tree wants it: JSON, commas for a list, or the text itself.

    Raises ValueError when it begins like JSON and is not.
    """
    bare = text.strip()
    if (kind is dict and bare.startswith("{")) or (kind in (list, tuple) and bare.startswith("[")):
        return json.loads(bare)
    if kind is list:
        return [item.strip() for item in bare.split(",") if item.strip()]
    return text


def _stands(place: Steps, steps: Steps) -> bool:
    return len(place) == len(steps) and all(want in ("*", step) for want, step in zip(place, steps, strict=True))


def _put(
    tree: Mapping[Any, Any], steps: Steps, value: object, shorthands: Mapping[str, tuple[str, ...]]
) -> dict[Any, Any]:
    """Return *tree* with *value* at *steps*; what is shared through YAML aliases stays as it was.

    Raises LookupError when the path leads through something that is no mapping.
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
