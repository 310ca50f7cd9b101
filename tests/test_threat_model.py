"""docs/threat-model.md names existing tests, each row has one or a reason, and no test of attacks is missing."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.endswith("shown by |")]
REASON = re.compile(r"Not covered: \w+( \S+){3}")


def _tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_named_exists(path: str) -> None:
    assert {name for one, name in NAMED if one == path} - _tests(ROOT / path) == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40])
def test_every_row_is_shown_or_refused_with_a_reason(row: str) -> None:
    assert "::" in row or REASON.search(row)


def test_no_security_test_is_left_out() -> None:
    files = {f"tests/attacks/{path.name}" for path in (ROOT / "tests" / "attacks").glob("test_*.py")}
    assert files - {path for path, _ in NAMED} == set()
