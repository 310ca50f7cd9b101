"""Write configuration files, and load them or collect their faults."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config.settings import ConfigError, Settings, load

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ACCOUNT = {"appid": "wx2c2769f8efd9abc2", "secret": "app-secret", "token": "spamtest", "aes_key": KEY}
HASH = "sha256:uFBhkmb2JXmZlEDDXb4GfKwqSqT1VHLwzVIJF5Q1Ypg"
CLIENT = {"name": "Shop", "secret": "the site's own secret", "accounts": ["main"]}
COMPLETE = {
    "SCANBIND_ACCOUNTS": json.dumps({"main": ACCOUNT}),
    "SCANBIND_CLIENTS": json.dumps({"shop": CLIENT}),
}
"""Variables with all that `serve` needs."""


def tree(**changes: Any) -> dict[str, Any]:
    """A good configuration with *changes* at dotted paths (`__` for a dot)."""
    values: dict[str, Any] = {"accounts": {"main": dict(ACCOUNT)}, "clients": {"shop": dict(CLIENT)}}
    for path, value in changes.items():
        *above, last = path.split("__")
        place = values
        for step in above:
            place = place.setdefault(step, {})
        place[last] = value
    return values


def faults(values: Any, environ: dict[str, str] | None = None, *, folder: Path) -> list[str]:
    file = folder / "config.yaml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environ or {})
    shown = caught.value.__cause__ or (None if caught.value.__suppress_context__ else caught.value.__context__)
    assert shown is None, "the chain would show what was given"
    return caught.value.faults


def written(values: dict[str, Any], environ: dict[str, str], *, folder: Path) -> Settings:
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    return load(file, environ)
