"""Writes the SBOM of the locked packages as CycloneDX 1.6; the same lock gives the same file.

`python -m tools.sbom LOCK FILE`, with the locked packages installed: licences and dependencies come from their
metadata. Packages locked for other platforms only are listed without these.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
_EXTRAS: Final = ("", "sandbox", "asyncio")
"""The extras in use: ours, and SQLAlchemy's."""
_SPDX_IDS: Final = {"MIT License": "MIT", "Apache Software License": "Apache-2.0"}


def pinned(lock: str) -> dict[str, str]:
    """Return the pinned versions of a lock, by canonical name."""
    return {canonicalize_name(name): version for name, version in _PINNED.findall(lock)}


def written(lock: Mapping[str, str], project: Mapping[str, Any]) -> str:
    """Return the SBOM of *project* (pyproject.toml's table) with the packages of *lock*. Raises ValueError."""
    root = _component(project["name"], project["version"], [project["license"]], kind=ComponentType.APPLICATION)
    parts = {name: _component(name, version, _licences(name)) for name, version in lock.items()}
    bom = Bom(components=parts.values())
    bom.metadata.component = root
    wanted = [*project["dependencies"], *project["optional-dependencies"]["sandbox"]]
    bom.register_dependency(root, _among(parts, wanted))
    for name, part in parts.items():
        bom.register_dependency(part, _among(parts, _requires(name)))
    bom.serial_number = bom.metadata.timestamp = None  # both are optional, and would differ each time
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"not valid CycloneDX: {fault}")
    return text


def _component(
    name: str, version: str, licences: Iterable[str], *, kind: ComponentType = ComponentType.LIBRARY
) -> Component:
    factory = LicenseFactory()
    known: list[License] = [factory.make_from_string(licence) for licence in licences]
    # This project itself is not on PyPI.
    purl = PackageURL("generic" if kind is ComponentType.APPLICATION else "pypi", name=name, version=version)
    return Component(name=name, version=version, type=kind, licenses=known, purl=purl, bom_ref=str(purl))


def _licences(name: str) -> list[str]:
    package = _installed(name)
    if package is None:
        return []
    if expression := package.get("License-Expression"):
        return [expression]
    trove = [line.split(" :: ") for line in package.get_all("Classifier", [])]
    if (short := package.get("License", "")) and "\n" not in short and short != "UNKNOWN":
        return [short]
    return sorted({_SPDX_IDS.get(one[-1], one[-1]) for one in trove if one[0] == "License" and len(one) > 2})


def _requires(name: str) -> list[str]:
    package = _installed(name)
    return package.get_all("Requires-Dist", []) if package else []


def _installed(name: str) -> Any:
    try:
        return metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None


def _among(parts: Mapping[str, Component], wanted: Iterable[str]) -> Iterator[Component]:
    for requirement in map(Requirement, wanted):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in _EXTRAS):
            name = canonicalize_name(requirement.name)
            if name in parts:
                yield parts[name]


def main(lock: Path, file: Path) -> None:
    """Write the SBOM of the project in the current folder."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    text = written(pinned(lock.read_text("utf-8")), project)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
