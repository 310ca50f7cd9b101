"""deploy/compose.yaml as Docker Compose reads it: with the variables of a .env file in place."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
_VARIABLE: Final = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME}`, `${NAME:-default}` and `${NAME:?message}`. Raises KeyError."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        return variables.get(name) or default if kind == "-" else variables[name]

    return _VARIABLE.sub(value, text)


def env_example() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose_text(**variables: str) -> str:
    return interpolated((DEPLOY / "compose.yaml").read_text("utf-8"), {**env_example(), **variables})


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(compose_text()))
