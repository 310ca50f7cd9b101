"""The SBOM names every locked package once, reproducibly, without traces of the machine."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sbom = pytest.importorskip("tools.sbom", reason="SBOM needs `make sbom` to have run once", exc_type=ImportError)


@pytest.fixture(scope="module")
def text() -> str:
    return written()


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"])


def written() -> str:
    return str(sbom.written(sbom.pinned((ROOT / "requirements.lock").read_text("utf-8")), project()))


def test_every_locked_package_is_a_component(text: str) -> None:
    told: dict[str, Any] = json.loads(text)
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert sorted(one["name"] for one in told["components"]) == sorted(locked)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in told["components"])


def test_scanbind_is_the_root_with_version_and_licence(text: str) -> None:
    told: dict[str, Any] = json.loads(text)
    root = told["metadata"]["component"]
    assert (root["name"], root["version"]) == ("scanbind", project()["version"])
    assert root["licenses"] == [{"license": {"id": "MIT"}}]
    graph = {one["ref"]: one.get("dependsOn", []) for one in told["dependencies"]}
    reached, ahead = set[str](), [root["bom-ref"]]
    while ahead:
        reached.add(one := ahead.pop())
        ahead += [other for other in graph[one] if other not in reached]
    wanted_elsewhere = {"async-timeout", "tzdata"}  # by older Pythons, and by Windows
    lost = {one["name"] for one in told["components"] if one["bom-ref"] not in reached}
    assert lost <= wanted_elsewhere


def test_it_is_the_same_each_time_and_tells_nothing_of_the_machine(text: str) -> None:
    """Red when serial number and timestamp are kept."""
    assert written() == text
    strangers = re.findall(
        r"https?://(?!cyclonedx\.org/)[^\"]+|file:|/home/|/root/|/tmp/|" + re.escape(str(ROOT)), text
    )
    assert strangers == []
