"""Reads secrets from files that settings such as `secret_key_file` name. Messages quote no name and no text."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from service.config.fault import Fault
from service.config.yaml_file import Steps

SUFFIX: Final = "_file"
LARGEST: Final = 1 << 16
"""In bytes."""
_MOUNT: Final = "/run/secrets"
"""Where Docker mounts secrets, by default readable by all users: a container has few."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands for a secret whose file cannot be used. No setting accepts it; `fault` says why."""

    fault: str


@dataclass(slots=True, kw_only=True)
class SecretFiles:
    """Replaces the `*_file` settings of a tree, and notes where they were."""

    secrets: Mapping[Steps, bool]
    """The path of each secret, where `*` is any name or index, and whether it is a list."""
    environ: Mapping[str, str] = field(repr=False)
    settings: dict[Steps, Steps] = field(default_factory=dict)
    """The path of the `*_file` setting by the path of the secret that was read from it."""
    exposed: list[Steps] = field(default_factory=list)
    """The `*_file` settings whose files other users may read."""

    def read(self, values: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """Return *values* with the content of the files, or Unread, in place of their names."""
        for place in self.secrets:
            values = self._read_below(values, place, (), several=self.secrets[place])
        return values

    def _read_below(self, node: Any, place: Steps, steps: Steps, *, several: bool) -> Any:
        first, rest = place[0], place[1:]
        if isinstance(node, list) and first == "*":
            return [
                self._read_below(item, rest, (*steps, str(index)), several=several)
                for index, item in enumerate(node)
            ]
        if not isinstance(node, Mapping):
            return node
        if not rest:
            return self._read_secret(node, (*steps, first), several=several) if first + SUFFIX in node else node
        keys = list(node) if first == "*" else [key for key in node if key == first]
        below = {key: self._read_below(node[key], rest, (*steps, str(key)), several=several) for key in keys}
        return {**node, **below}

    def _read_secret(self, section: Mapping[Any, Any], secret: Steps, *, several: bool) -> dict[Any, Any]:
        """Return *section* with one setting for both; an empty one counts as left out."""
        key = secret[-1]
        name, given = section[key + SUFFIX], section.get(key)
        others = {other: value for other, value in section.items() if other != key + SUFFIX}
        if name in (None, "") and given is not None:
            return others
        self.settings[secret] = file_setting(secret)
        if name in (None, ""):
            return {**others, key: name}
        if given not in (None, ""):
            return {**others, key: Unread(f"must not be set beside {key}")}
        try:
            return {**others, key: self._content(name, secret, several=several)}
        except OSError as error:
            return {**others, key: Unread(f"cannot be read: {error.strerror}")}
        except Fault as fault:
            return {**others, key: Unread(str(fault))}

    def _content(self, name: object, secret: Steps, *, several: bool) -> str | list[str]:
        if not isinstance(name, str) or "\0" in name:
            raise Fault("must be the path of a file")
        content, mode = _read_file(Path(name))
        if mode & stat.S_IRWXO and not self._is_protected(Path(name)):
            self.exposed.append(file_setting(secret))
        lines = values_of(content)
        return lines if several else only(lines)

    def _is_protected(self, path: Path) -> bool:
        folders = [_MOUNT, *filter(None, [self.environ.get("CREDENTIALS_DIRECTORY")])]
        return any(one.is_relative_to(folder) for one in (path.absolute(), path.resolve()) for folder in folders)


def file_setting(secret: Steps) -> Steps:
    """Return the path of the setting that may name the file of the secret at this path."""
    return (*secret[:-1], secret[-1] + SUFFIX)


def _read_file(path: Path) -> tuple[bytes, int]:
    """Return the content and the mode of a file. Raises OSError, and Fault if it is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without O_NONBLOCK a pipe waits for a writer
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):  # a pipe or device may have no end
            raise Fault("names a folder" if stat.S_ISDIR(mode) else "names what is not a file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST + 1), mode
    finally:
        os.close(descriptor)


def values_of(content: bytes) -> list[str]:
    """Return the values in the content of a file, one of each line that is not empty. Raises Fault."""
    if len(content) > LARGEST:
        raise Fault("names a file that is larger than 64 KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Fault("names a file that is not UTF-8") from None
    values = [line for line in re.split(r"\r*\n", text.rstrip("\r\n")) if line]
    if not values:
        raise Fault("names a file that is empty")
    return values


def only(values: list[str]) -> str:
    """Return the value of a setting that is no list. Raises Fault if there are several."""
    if len(values) > 1:
        raise Fault("names a file of several lines: the setting has one value")
    return values[0]
