"""Every module has its tests at the mirrored path, and no test file is too long to read.

The tests of `service/tickets/feed.py` stand in `tests/service/tickets/test_feed.py`. A module whose behaviour is
tested with its feature is named in the docstring of a test file of the mirrored folder instead, in a paragraph
"Covers: service.tickets.factory, service.tickets.build."
"""

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
TESTS: Final = ROOT / "tests"
LONGEST: Final = 400  # lines
COVERS: Final = re.compile(r"^Covers: (.+?)\.$", re.MULTILINE | re.DOTALL)


def modules() -> set[str]:
    paths = [path for folder in ("models", "service", "handlers") for path in (ROOT / folder).rglob("*.py")]
    return {_dotted(path.relative_to(ROOT)) for path in paths if not path.name.startswith("__")}


def mirrored() -> set[str]:
    paths = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")]
    return {_dotted(path.with_name(path.name.removeprefix("test_"))) for path in paths}


def named() -> list[tuple[Path, str]]:
    """Return the modules that docstrings name, each with the file that names it."""
    return [
        (path, module)
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
        for paragraph in COVERS.findall(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
        for module in re.split(r",\s+", paragraph)
    ]


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def test_every_module_has_a_test_file_or_is_named_in_one() -> None:
    """Red when service/tickets/factory.py is named in no docstring."""
    assert modules() - mirrored() - {module for _, module in named()} == set()


def test_a_docstring_names_modules_of_its_own_folder_alone() -> None:
    """Red when a named module is renamed, or has a test file of its own."""
    without_tests = modules() - mirrored()
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path, module in named()
        if module not in without_tests or _dotted(path.parent.relative_to(TESTS)) != module.rpartition(".")[0]
    }
    assert wrong == set()


def test_no_test_file_is_longer_than_400_lines() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in TESTS.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}
