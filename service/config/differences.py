"""Compares two versions of the settings: which paths differ, and which of them a running process cannot take.

Lines name paths, never values, since these may be secrets.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from service.config.section import Section
from service.config.settings import ConfigError, Settings, local_url
from service.config.types import EMBEDDED

FIXED: Final = ("server.host", "server.port", "server.internal", "data_dir", "database", "redis")
"""What is opened once, when the process starts."""


def differences(old: object, new: object, path: str = "") -> Iterator[str]:
    """Yield a line for each part that was added, removed or changed, in the order of the settings."""
    if old == new:
        return
    before, after = _parts(old), _parts(new)
    if before is None or after is None or type(old) is not type(new):
        yield f"{path}: changed"
        return
    for name in dict.fromkeys((*before, *after)):
        place = f"{path}.{name}" if path else name
        if name not in after:
            yield f"{place}: removed"
        elif name not in before:
            yield f"{place}: added"
        else:
            yield from differences(before[name], after[name], place)


def with_fixed(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Return *new* with the parts of *old* that cannot change, and the paths of these that differ.

    A `public_url` that is not set follows the port that stays. Raises ConfigError: the stores that stay need a
    `secret_key`, and *new* has none.
    """
    server = {name: getattr(old.server, name) for name in _FIXED_OF_SERVER}
    if "public_url" not in new.server.model_fields_set:
        server["public_url"] = local_url(server)
    kept = {name: getattr(old, name) for name in FIXED if "." not in name}
    running = new.model_copy(update={**kept, "server": new.server.model_copy(update=server)})
    if not running.secret_key and {running.database.url, running.redis.url} != {EMBEDDED}:
        raise ConfigError(["secret_key: is missing: a store that stays until a restart is not embedded"])
    return running, [path for path in FIXED if _at(old, path) != _at(new, path)]


_FIXED_OF_SERVER: Final = tuple(path.removeprefix("server.") for path in FIXED if path.startswith("server."))


def _at(settings: Settings, path: str) -> object:
    value: object = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _parts(value: object) -> Mapping[str, object] | None:
    """Return the settings below *value* by name; None if it is one value."""
    if isinstance(value, Section):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and any(isinstance(one, Section) for one in value):
        return {str(index): one for index, one in enumerate(value)}
    return None
