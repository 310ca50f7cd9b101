"""The version that every part of the service names is that of the project file.

Red when a second place states a version, or when the installed metadata is older than the project file.
"""

import tomllib
from pathlib import Path

from service.version import VERSION

ROOT = Path(__file__).parents[2]


def test_the_version_is_that_of_the_project_file() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"] == VERSION
