"""The scripts of web/ are in the syntax of ES2021, which the oldest supported browsers read.

Red when a script has a class field, a private name, a static block, a top-level await or a look-behind: then
Chromium 86, Safari 14 or Firefox 90 run none of it and show nothing. Red when what is sent lacks more than
comments and indentation. The parser is the acorn of Playwright's node.
"""

import re
import subprocess
from pathlib import Path
from typing import Final

import playwright
import pytest

from handlers.assets import SCRIPTS

WEB: Final = Path(__file__).parents[1] / "web"
NODE: Final = Path(playwright.__file__).parent / "driver" / "node"
PARSE: Final = """
const { parse } = require("internal/deps/acorn/acorn/dist/acorn");
const program = parse(require("fs").readFileSync(0, "utf8"), { ecmaVersion: 2021, sourceType: "module" });
"""
PRINT: Final = """
const isPlaced = (key) => key === "start" || key === "end";
const unindented = (value) => (typeof value === "string" ? value.replace(/\\n +/g, "\\n") : value);
console.log(JSON.stringify(program, (key, value) => (isPlaced(key) ? undefined : unindented(value))));
"""
NEWER: Final = (
    "class A { x = 1 }",
    "class A { static x = 1 }",
    "class A { #x() {} }",
    "class A { static { } }",
    "await 1;",
    "/x/d;",
    "/x/v;",
    "export { a as 'b' }; const a = 1;",
)
UNKNOWN_TO_PARSERS: Final = re.compile(r"\(\?<[=!]")
"""A look-behind is of ES2018, but Safari reads it since 16.4."""


def run(program: str, script: str) -> subprocess.CompletedProcess[str]:
    command = [NODE, "--expose-internals", "--eval", program]
    return subprocess.run(command, input=script, capture_output=True, text=True, check=False)


def fault_of(script: str) -> str:
    """Return why *script* is not ES2021, or ""."""
    parsed = run(PARSE, script)
    return parsed.stderr if parsed.returncode else ""


def program_of(script: str) -> str:
    """Return the syntax tree of *script*, without positions and the indentation inside templates."""
    return run(PARSE + PRINT, script).stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_in_the_syntax_that_the_oldest_supported_browsers_read(name: str) -> None:
    script = (WEB / f"{name}.js").read_text()
    assert fault_of(script) == ""
    assert UNKNOWN_TO_PARSERS.findall(script) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_without_comments_a_script_is_the_same_program(name: str) -> None:
    source, sent = (WEB / f"{name}.js").read_text(), SCRIPTS[name].body.decode()
    assert program_of(sent) == program_of(source) != ""
    assert sent.count("\n") == source.count("\n")  # so that the line numbers of errors are those of the source
    assert len(sent) < len(source) * 0.9


@pytest.mark.parametrize("newer", NEWER)
def test_the_parser_refuses_what_is_newer(newer: str) -> None:
    assert "SyntaxError" in fault_of(newer)


def test_the_parser_reads_what_is_old_enough() -> None:
    assert fault_of("export class A { get x() { return (this.y ??= 1_000) } async *z() { yield a?.b } }") == ""
