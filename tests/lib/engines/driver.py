"""What a browser engine has to be able to do for the flows; page.py makes everything else of it."""

import json
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from widget import Console

COMMAND_TIMEOUT: Final = 60.0
"""Seconds within which a browser must answer one command; a page that does not load takes as long to fail."""


class Failed(Exception):
    """The browser could not do it: a script raised, or its page was left meanwhile."""


class Tab(Protocol):
    """One tab of a browser."""

    async def go(self, address: str) -> None:
        """Open *address*, and return when it has loaded."""

    async def back(self) -> None:
        """Go back by one page, as the button of the browser does."""

    async def front(self) -> None:
        """Make this the tab that the person sees."""

    async def run(self, expression: str) -> Any:
        """Return the JSON text that a JavaScript expression gives in the page, parsed."""

    async def press(self, x: float, y: float) -> None:
        """Click at a point of the viewport, with a pointer and not by script."""

    async def type(self, text: str) -> None:
        """Type on the keyboard; a character of `KEYS` stands for a key without a letter."""


class Visitor(Protocol):
    """A browser with no cookies and no storage of an earlier visitor, which lets every certificate pass."""

    async def tab(self) -> Tab:
        """Open a tab, which the person sees then."""


class Engine(Protocol):
    """A browser that is running."""

    def visitor(self, console: Console) -> AbstractAsyncContextManager[Visitor]:
        """Give a new visitor, whose pages log into *console* where the engine tells what they log."""


ESCAPE: Final = "\ue00c"
"""The Escape key, as WebDriver writes it."""


def called(function: str, *arguments: object) -> str:
    """Return the expression that calls a JavaScript function and gives its result as JSON text."""
    return f"JSON.stringify(({function})(...{json.dumps(arguments)}) ?? null)"


def click(x: float, y: float) -> list[dict[str, Any]]:
    """Return the actions of a click; WebDriver and WebDriver BiDi write them in the same way."""
    moves = {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}
    presses = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
    return [
        {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [moves, *presses]}
    ]


def keys(text: str) -> list[dict[str, Any]]:
    """Return the actions of typing *text*, in the same notation."""
    presses = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keyboard", "actions": presses}]
