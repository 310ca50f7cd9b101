"""Writes a draft as commented YAML, with the secrets in files."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from models.language import Lang
from service.config.secret_files import file_setting
from service.setup.comments import HEAD, comment
from service.setup.drafting import FOLDER, Draft


def secret_file(output: Path, steps: tuple[str, ...]) -> Path:
    """Return the file of the secret at *steps* for the configuration *output*."""
    return output.parent / FOLDER / ".".join(steps)


def files(draft: Draft, output: Path, lang: Lang) -> dict[Path, str]:
    """Return the content of each file to write: the secrets, and then the configuration."""
    values = {secret_file(output, steps): f"{_at(draft.values, steps)}\n" for steps in draft.secrets}
    return {**values, output: rendered(draft, output, lang)}


def _at(values: Mapping[str, Any], steps: tuple[str, ...]) -> Any:
    return _at(values[steps[0]], steps[1:]) if steps else values


def rendered(draft: Draft, output: Path, lang: Lang) -> str:
    """Return the text of the configuration *output*, with comments in *lang*."""
    names = {steps: str(secret_file(output, steps)) for steps in draft.secrets}
    head = [f"# {line}" for line in HEAD[lang]]
    return "\n".join([*head, *_section(draft.values, (), names, lang)]) + "\n"


def _section(
    values: Mapping[str, Any], above: tuple[str, ...], names: Mapping[tuple[str, ...], str], lang: Lang
) -> Iterator[str]:
    indent = "  " * len(above)
    for key, value in values.items():
        steps = (*above, key)
        if not above:
            yield ""
        if words := comment(steps, lang):
            yield f"{indent}# {words}"
        if isinstance(value, Mapping):
            yield f"{indent}{_key(key)}:"
            yield from _section(value, steps, names, lang)
        elif steps in names:
            yield f"{indent}{file_setting(steps)[-1]}: {_scalar(names[steps])}"
        else:
            yield f"{indent}{key}: {_scalar(value)}"


def _key(name: str) -> str:
    """Return *name*, in quotes if YAML would read a number or another value."""
    return name if yaml.safe_load(name) == name else _scalar(name)


def _scalar(value: Any) -> str:
    """Return *value* on one line: text in double quotes, so that it is never read as something else."""
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if not isinstance(value, str):
        return str(value).lower()
    # JSON is YAML, but for characters that YAML folds or refuses unescaped.
    return "".join(
        sign if sign.isprintable() else f"\\U{ord(sign):08X}" for sign in json.dumps(value, ensure_ascii=False)
    )
