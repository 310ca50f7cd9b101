"""What the flows do with a page and see of it, also inside shadow roots; made of scripts and presses alone."""

import asyncio
import re
import time
from typing import Any, Final

from aiohttp import ClientSession

from engines.driver import Failed, Tab, called
from sandbox.qr_decoder import texts_in

DEADLINE: Final = 40.0
"""Seconds after which something that a flow waits for counts as missing."""
_STEP: Final = 0.05

# What the scripts below share. `shown` gives the elements with a data-testid that can be seen, of the whole page
# or inside the elements that match `of`.
_FIND: Final = """
const all = (root, css) => [...root.querySelectorAll("*")].flatMap((one) => [
  ...(one.matches(css) ? [one] : []), ...(one.shadowRoot ? all(one.shadowRoot, css) : [])]);
const shown = (id, of) => (of ? all(document, of) : [document])
  .flatMap((one) => all(one.shadowRoot ?? one, `[data-testid="${id}"]`))
  .filter((one) => one.getClientRects().length && getComputedStyle(one).visibility === "visible");
"""
_TEXT: Final = "(id, of) => shown(id, of).map((one) => one.innerText.trim()).at(-1)"
_MISSING: Final = "(id, of) => !shown(id, of).length"
_HAS: Final = "(id, of, text) => shown(id, of).some((one) => one.innerText.includes(text))"
_STATUS: Final = "(of) => all(document, of)[0]?.dataset.status"
# The picture may be there before it is loaded, and a broken one is complete too.
_CODE: Final = """(of, old) => {
  const [image] = shown("qr", of);
  const ready = all(document, of)[0]?.dataset.status === "waiting" && image?.complete && image.naturalWidth > 0;
  return ready && image.src !== old && image.src;
}"""
# Where to press an element: its middle, if it stood there the last time as well and has nothing above it.
_SPOT: Final = """(id, of) => {
  const one = shown(id, of).at(-1);
  if (!one) return null;
  one.scrollIntoView({ block: "center", behavior: "instant" });
  const { x, y, width, height } = one.getBoundingClientRect();
  const spot = [x + width / 2, y + height / 2];
  const before = one.lastSpot;
  one.lastSpot = String(spot);
  if (before !== one.lastSpot) return null;
  let hit = document.elementFromPoint(...spot);
  for (let inner; (inner = hit?.shadowRoot?.elementFromPoint(...spot)) && inner !== hit; ) hit = inner;
  return hit && one.contains(hit) ? spot : null;
}"""
_FOCUSED: Final = """(id, of) => {
  const [one] = shown(id, of);
  if (one?.getRootNode().activeElement !== one) return false;
  one.select?.();
  return true;
}"""
_RECORD: Final = """() => {
  globalThis.told = [];
  addEventListener("scanbind:confirmed", ({ detail, target }) => told.push({ id: target.id, ...detail }));
}"""
_SHOWN: Final = """() => {
  const roots = [document.body, ...all(document, "*").map((one) => one.shadowRoot)].filter(Boolean);
  const texts = roots.flatMap((root) => [...root.children].map((one) => one.innerText ?? ""));
  return `${location.href}: ${texts.join(" ").replace(/\\s+/g, " ").slice(0, 600)}`;
}"""
WIDGET: Final = "scanbind-qr"


async def code_in(picture: str) -> str:
    """Return the text of the QR code in a picture of the widget, as a camera reads it."""
    async with ClientSession() as http, http.get(picture.replace(".svg", ".png")) as response:
        [text] = texts_in(await response.read())
        return text


class Page:
    """A page in a tab. Parts are named by their data-testid; *of* selects the element that holds them."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    async def run(self, function: str, *arguments: object) -> Any:
        """Call a JavaScript function in the page."""
        return await self.tab.run(
            called(f"(...given) => {{ {_FIND} return ({function})(...given); }}", *arguments)
        )

    async def until(self, what: str, function: str, *arguments: object) -> Any:
        """Wait until a JavaScript function gives something true, and return that.

        A page that is left during the call fails it; the page that follows is asked.
        """
        deadline, trouble = time.monotonic() + DEADLINE, ""
        while time.monotonic() < deadline:
            try:
                if met := await self.run(function, *arguments):
                    return met
                trouble = ""
            except Failed as error:
                trouble = f"; the last attempt failed: {error}"
            await asyncio.sleep(_STEP)
        raise AssertionError(
            f"not within {DEADLINE:.0f} seconds: {what}{trouble}; the page: {await self._shown()}"
        )

    async def _shown(self) -> str:
        try:
            return str(await self.run(_SHOWN))
        except Failed as error:
            return f"not to be read: {error}"

    # -- any page --

    async def is_at(self, address: str) -> None:
        await self.until(f"the page is {address}", "(address) => location.href === address", address)

    async def shows(self, part: str, text: str = "", *, of: str = "") -> None:
        await self.until(f"{of} {part} is shown, with {text!r}", _HAS, part, of, text)

    async def hides(self, part: str, *, of: str = "") -> None:
        await self.until(f"{of} {part} is not shown", _MISSING, part, of)

    async def text(self, part: str, *, of: str = "") -> str:
        """Return what a part says, once it says something."""
        return str(await self.until(f"{of} {part} has a text", _TEXT, part, of))

    async def press(self, part: str, *, of: str = "") -> None:
        """Click a part once it stands still with nothing above it."""
        spot = await self.until(f"{of} {part} can be clicked", _SPOT, part, of)
        await self.tab.press(*spot)

    async def fill(self, part: str, text: str) -> None:
        """Type into a field, in place of what it holds."""
        await self.press(part)
        await self.until(f"{part} has the focus", _FOCUSED, part, "")
        await self.tab.type(text)

    # -- the widget --

    async def becomes(self, status: str, *, of: str = WIDGET) -> None:
        await self.until(f"{of} is {status}", f"(of, status) => ({_STATUS})(of) === status", of, status)

    async def shows_a_code(self, *, of: str = WIDGET, other_than: str = "") -> str:
        """Wait until the picture of a code is there, and not only its place; return the picture's address."""
        return str(await self.until(f"{of} shows a code", _CODE, of, other_than))

    async def number(self, *, of: str = "") -> str:
        """Return the number to answer, once there is one."""
        number = await self.text("match", of=of)
        assert re.fullmatch("[1-9][0-9]", number), number
        return number

    async def record(self) -> None:
        """Keep the details of what the widgets of this page confirm from now on."""
        await self.run(_RECORD)

    async def confirmed(self) -> dict[str, Any]:
        """Return the details of the only confirmation so far, once there is one."""
        [detail] = await self.until("the page is told of a confirmation", "() => told.length && told")
        return dict(detail)
