"""Finds tests that read the clock when they are imported: data dated then may expire before they run.

`python -m tools.import_clock TESTS [HELPERS ...]` checks the Python files below TESTS, and follows calls into the
files below HELPERS. It prints `path:line: reads the clock when it is imported` for each, and fails on any.
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLOCKS: Final = frozenset(
    {
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        *(
            f"time.{name}{unit}"
            for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
            for unit in ("", "_ns")
        ),
        *(f"time.{name}" for name in ("clock_gettime", "clock_gettime_ns", "localtime", "gmtime", "ctime")),
    }
)
"""The full names of the functions that read a clock."""
_LIBRARY: Final = ("tests", "lib")
"""Modules of this folder are imported by their bare names (`pythonpath` in pyproject.toml)."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_CONSTRUCTORS: Final = frozenset({"__init__", "__new__", "__post_init__"})


@dataclass(frozen=True, slots=True)
class Module:
    """One file; *names* maps each imported name to its full name."""

    path: Path
    name: str
    tree: ast.Module
    names: Mapping[str, str]

    def called(self, call: ast.Call) -> str:
        """Return the full name of the function that *call* calls, '' if it has none."""
        steps: list[str] = []
        target = call.func
        while isinstance(target, ast.Attribute):
            steps.append(target.attr)
            target = target.value
        if not isinstance(target, ast.Name):
            return ""
        first = self.names.get(target.id, f"{self.name}.{target.id}")
        return ".".join([first, *reversed(steps)])


def module(path: Path, root: Path) -> Module:
    """Read one file below *root*. Raises SyntaxError."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    parts = path.relative_to(root).with_suffix("").parts
    name = parts[-1] if parts[:-1] == _LIBRARY else ".".join(parts)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {it.asname: it.name for it in node.names if it.asname}
            names |= {top: top for it in node.names if not it.asname and (top := it.name.partition(".")[0])}
        elif isinstance(node, ast.ImportFrom):
            names |= {it.asname or it.name: f"{node.module}.{it.name}" for it in node.names}
    return Module(path, name, tree, names)


def at_import(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls made when *node* is executed: those inside functions happen later, if at all."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            inside: Sequence[ast.AST] = [*node.decorator_list, *_defaults(node.args)]
        case ast.Lambda():
            inside = _defaults(node.args)
        case _:
            inside = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Call):
        yield node
    for part in inside:
        yield from at_import(part)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *filter(None, arguments.kw_defaults)]


def readers(modules: Sequence[Module]) -> frozenset[str]:
    """Return the full names of all functions that read the clock, directly or through others."""
    calls = {name: called for one in modules for name, called in _functions(one)}
    found = CLOCKS
    while more := {name for name, called in calls.items() if name not in found and called & found}:
        found |= more
    return found


def _functions(one: Module) -> Iterator[tuple[str, set[str]]]:
    """Yield each function and class of a module with the names that it calls."""
    for node in one.tree.body:
        if isinstance(node, _Function):
            yield f"{one.name}.{node.name}", _calls_of(one, node)
        elif isinstance(node, ast.ClassDef):
            makers = [it for it in node.body if isinstance(it, _Function) and it.name in _CONSTRUCTORS]
            yield f"{one.name}.{node.name}", set().union(*(_calls_of(one, maker) for maker in makers))


def _calls_of(one: Module, function: _Function) -> set[str]:
    return {one.called(call) for statement in function.body for call in at_import(statement)}


def faults(tests: Path, helpers: Sequence[Path] = (), *, root: Path = Path()) -> list[str]:
    """Return a line for each call below *tests* that reads the clock at import. Raises SyntaxError."""
    judged = [module(path, root) for path in sorted(tests.rglob("*.py"))]
    followed = [module(path, root) for folder in helpers for path in sorted(folder.rglob("*.py"))]
    clocks = readers([*judged, *followed])
    return [
        f"{one.path}:{call.lineno}: reads the clock when it is imported"
        for one in judged
        for call in at_import(one.tree)
        if one.called(call) in clocks
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.import_clock")
    parser.add_argument("tests", type=Path)
    parser.add_argument("helpers", type=Path, nargs="*")
    given = parser.parse_args()
    lines = faults(given.tests, given.helpers)
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(bool(lines))
