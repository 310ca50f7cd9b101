"""Reads a YAML file as a tree of settings, and names what is wrong with its text.

YAML's own messages are not passed on: they may quote a secret.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

Steps = tuple[str, ...]
"""A path in the tree: `("server", "port")`."""

_LARGEST: Final = 1 << 20
"""Maximum size in bytes; PyYAML takes seconds for each MiB, and a device such as /dev/zero does not end."""
_ADVICE: Final = "quote values with special characters"
_PROBLEMS: Final = (
    (r"character '\\t'", "has a tab: indent with spaces"),
    (r"unexpected end of stream", "has a quote or bracket that is not closed"),
    (r"duplicate anchor|undefined alias", "uses & or * as anchor or alias: quote the value"),
    (r"found character '[@`%]'", "has a value that begins with a special character: quote the value"),
    (r"half of a surrogate pair", "has an escape for half of a surrogate pair: write the character itself"),
    (r"unknown escape character", "has a backslash in double quotes: use single quotes"),
    (
        r"mapping values are not allowed",
        "has a colon where none may stand: quote the value or indent it",
    ),
    (r"expected <block end>|expected ',' or", "is indented wrongly, or a value has more after its quote"),
)
_FULL_WIDTH: Final = {"：": "colon", "，": "comma", "　": "space", "“": "quote", "”": "quote", "＂": "quote"}
_QUOTES: Final = "“”‘’＂＇"
_KEY: Final = re.compile(r"\s*[^\s:：=]{0,80}")
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")


class UnreadableError(Exception):
    """The file cannot be read or parsed; the text is the fault."""


class _Loader(yaml.SafeLoader):
    """Reads as integers only decimal ones, which no reader can take for another number."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        """Return an octal, hexadecimal or sexagesimal number as a float, which no setting accepts."""
        plain = _DECIMAL.fullmatch(node.value) is not None
        return super().construct_yaml_int(node) if plain else float("nan")

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Refuse text that cannot be encoded: an escape in it stands for half of a surrogate pair."""
        text = super().construct_scalar(node)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise yaml.constructor.ConstructorError(
                None, None, "half of a surrogate pair", node.start_mark
            ) from None
        return text


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_file(path: Path, *, keys: frozenset[str]) -> tuple[dict[Any, Any], list[str]]:
    """Return the content of the file at *path*, and its faults. *keys* are the names that settings have.

    Raises UnreadableError if the file is missing, too large or not a YAML mapping.
    """
    name = shown(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UnreadableError(f"{name}: cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST:
        raise UnreadableError(f"{name}: is larger than 1 MiB")
    text = _decoded(content, name)
    try:
        faults = list(_faults(yaml.compose(text, Loader=_Loader), (), seen=set(), keys=keys))
        written = yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        # PyYAML raises most of these for tags and keys that it cannot construct, such as `!!bool maybe`.
        raise UnreadableError(f"{name}: {_problem(error, text)}") from None
    if not isinstance(written, dict | None):
        raise UnreadableError(f"{name}: must be a mapping of keys to values{_full_width(text, 0)}")
    return written or {}, faults


def shown(text: str) -> str:
    """Return *text*, escaped unless it is printable on one line of a terminal."""
    return text if text.isprintable() else ascii(text)


def shown_path(steps: Sequence[str]) -> str:
    """Return a path, each key cut where a value may begin: without a space, `url:redis://...` is all one key."""
    return shown(
        ".".join(found[0] if is_key(step) else f"{found[0]}…" for step in steps if (found := _KEY.match(step)))
    )


def is_key(step: str) -> bool:
    """Return whether a key is shown whole."""
    return _KEY.fullmatch(step.rstrip()) is not None


def _decoded(content: bytes, name: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its mark. Raises UnreadableError."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        try:
            content.decode("gb18030")
        except UnicodeDecodeError:
            found = "not UTF-8"
        else:
            found = "GBK, not UTF-8"
        raise UnreadableError(f"{name}: is {found} (line {line}): save it as UTF-8") from None


def _problem(error: Exception, text: str) -> str:
    """Say what is wrong, and where."""
    if isinstance(error, yaml.reader.ReaderError):
        line = 1 + text.count("\n", 0, error.position)
        return f"is not YAML: contains a control character (line {line})" + (
            ": save it as UTF-8, not as UTF-16" if "\0" in text else ""
        )
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if mark is None or not isinstance(error, yaml.MarkedYAMLError):
        return f"is not YAML; {_ADVICE}"
    words = next((words for form, words in _PROBLEMS if re.search(form, error.problem or "")), _ADVICE)
    return f"is not YAML (line {mark.line + 1}, column {mark.column + 1}): {words}{_full_width(text, mark.line)}"


def _full_width(text: str, line: int) -> str:
    """Name the first full-width sign on the line or on the one before, where YAML notices it late."""
    for number, content in list(enumerate(text.splitlines(), 1))[max(0, line - 1) : line + 1]:
        for sign in content.partition("#")[0]:
            if sign in _FULL_WIDTH:
                return f"; line {number} has a full-width {_FULL_WIDTH[sign]} {shown(sign)}"
    return ""


def _faults(node: yaml.Node | None, steps: Steps, *, seen: set[int], keys: frozenset[str]) -> Iterator[str]:
    """Yield duplicate keys, of which PyYAML would use the last, and signs that only look like YAML's own."""
    if node is None or id(node) in seen:  # reached again through an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            name = str(key.value)  # a key that is a list equals no other
            inside, line = (*steps, name), key.start_mark.line + 1
            if name in names:
                yield f"{shown_path(inside)}: duplicate key (line {line})"
            if isinstance(key, yaml.ScalarNode) and name != name.strip():
                yield f"{shown_path(inside)}: begins or ends with an unusual space (line {line}): remove it"
            names.add(name)
            yield from _faults(value, inside, seen=seen, keys=keys)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _faults(item, (*steps, str(index)), seen=seen, keys=keys)
    elif isinstance(node, yaml.ScalarNode) and node.style is None:
        yield from _scalar_faults(node, shown_path(steps), keys)


def _scalar_faults(node: yaml.ScalarNode, path: str, keys: frozenset[str]) -> Iterator[str]:
    line = node.start_mark.line + 1
    if node.value[:1] in tuple(_QUOTES):
        yield f'{path}: has full-width or curly quotes (line {line}): use plain ones, "..."'
    elif node.value.partition("：")[0].strip() in keys and "：" in node.value:
        yield f"{path}: has a full-width colon ： (line {line}): use a plain one and a space"
