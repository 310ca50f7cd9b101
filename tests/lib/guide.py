"""The fenced blocks of a guide, taken in order, none left out."""

import re
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block and the word behind its fence."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


@dataclass
class Guide:
    """The blocks of a page that are still to be done; *elsewhere* is what stands in for addresses and ports."""

    page: Path
    elsewhere: dict[str, str]
    left: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = blocks(self.page)

    def take(self, language: str) -> str:
        """Return the next block, which must be of *language*, with the addresses of this run."""
        block = self.left.pop(0)
        assert block.language == language, block
        text = block.text.rstrip("\n")
        for written, real in self.elsewhere.items():
            text = text.replace(written, real)
        return text
