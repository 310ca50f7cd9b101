"""docs/doctor.md lists all that the doctor may say, in both languages, and its commands print what it shows.

Red when a finding is added or reworded without its row in both tables, when a row is about no finding, and when
the doctor prints other lines than the page shows.
"""

import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from desk import at_desk, ended
from finding_texts import texts

DOCS: Final = Path(__file__).parent.parent / "docs"
ROW: Final = re.compile(r"^\| `(.+?)` \| (.+) \|$", re.MULTILINE)
LEAST: Final = 70
"""The doctor has more findings than this: fewer would mean that they are not found in its source."""

each_language = pytest.mark.parametrize("page", ["doctor.md", "doctor.zh.md"])


@each_language
def test_each_finding_has_one_row_with_its_remedy(page: str) -> None:
    rows = ROW.findall((DOCS / page).read_text("utf-8"))
    said = {text.message for text in texts()}
    assert len(said) > LEAST
    assert sorted(message for message, _ in rows) == sorted(said)
    assert [message for message, remedy in rows if len(remedy) < 3] == []


@each_language
async def test_the_doctor_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    async with at_desk(tmp_path, DOCS / page) as desk, AsyncExitStack() as stack:
        (tmp_path / "my.yaml").write_text(desk.guide.take("yaml"), encoding="utf-8")
        printed = (await desk.run(desk.guide.take("sh"))).splitlines()
        assert without(desk.guide.take("text"), printed) == []
        await stack.enter_async_context(ended(await desk.start(desk.guide.take("sh"))))
        await desk.wait_for(f"{desk.service}/readyz")
        printed = (await desk.run(desk.guide.take("sh"))).splitlines()
        assert without(desk.guide.take("text"), printed) == []
        assert [line for line in printed if line.startswith("failed")] == []
        assert desk.guide.left == []


def without(shown: str, printed: list[str]) -> list[str]:
    """Return the lines of *shown* that were not *printed*."""
    return [line for line in shown.splitlines() if line not in printed]
