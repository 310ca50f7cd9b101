"""Reads from the doctor's source what it may say."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GAP = "…"
"""Stands for a value that is filled in."""


@dataclass(frozen=True, slots=True)
class Text:
    """The message of a finding that is not good, as its source has it."""

    file: str
    message: str


def texts() -> list[Text]:
    """Return the messages of all warnings, failures and notes, each variant of them once."""
    found = dict.fromkeys(
        Text(path.name, message)
        for path in sorted((ROOT / "service" / "doctor").glob("*.py"))
        for message in _messages(ast.parse(path.read_text("utf-8")))
    )
    return list(found)


def _messages(module: ast.Module) -> Iterator[str]:
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and _name(call.func) == "Finding" and not _is_good(call):
                    yield from _variants(call.args[2], function)


def _name(expression: ast.expr) -> str:
    return expression.id if isinstance(expression, ast.Name) else ""


def _is_good(call: ast.Call) -> bool:
    first, untested = call.args[0], any(one.arg == "untested" for one in call.keywords)
    return isinstance(first, ast.Constant) and first.value is True and not untested


def _variants(expression: ast.expr, function: ast.AST) -> list[str]:
    """Return the texts that *expression* may have in *function*, with a gap for each value that is filled in."""
    match expression:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(part.value if isinstance(part, ast.Constant) else GAP for part in parts)]
        case ast.IfExp(body=one, orelse=other):
            return _variants(one, function) + _variants(other, function)
        case ast.Name(id=name):
            values = [
                one.value
                for one in ast.walk(function)
                if isinstance(one, ast.Assign) and _name(one.targets[0]) == name
            ]
            return [text for value in values for text in _variants(value, function)]
    return []
