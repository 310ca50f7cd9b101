"""What visitors are told depends on the whole user agent: device, system and app.

Red when one token decides: `MicroMessenger` is also in the user agents of PCs, which show the code on the very
screen that would have to scan it, and of WeCom, which is another app.
"""

from pathlib import Path
from typing import Final

from harness import World
from pages import Site
from playwright.async_api import BrowserContext, expect
from widget import opened
from widget_waiting import BIND

HINTS: Final = {
    "scan": "In WeChat, tap + and then Scan.",
    "press": "WeChat will recognise it and continue.",
    "save": "Save the picture, then choose it in WeChat’s scanner.",
}
SAMPLES: Final = Path(__file__).parents[1] / "samples" / "user_agents.tsv"


async def test_each_device_shows_what_it_can_do(town: World, site: Site, context: BrowserContext) -> None:
    widget = await opened(context, site.put(BIND.format_map((await town.bind("42")).made)))
    session = await context.new_cdp_session(widget.page)
    for line in SAMPLES.read_text().splitlines()[1:]:
        kind, points, agent = line.split("\t")
        await session.send("Emulation.setUserAgentOverride", {"userAgent": agent})
        touch = {"enabled": points != "0", "maxTouchPoints": int(points) or 1}
        await session.send("Emulation.setTouchEmulationEnabled", touch)
        await widget.page.reload()
        await widget.shows_a_code()
        assert (await widget.host.locator("[part=hint]").inner_text(), agent) == (HINTS[kind], agent)
        handheld = "Mobile" in agent or "Android" in agent or ("Mac" in agent and points != "0")
        await expect(widget.save).to_be_visible(visible=handheld and kind != "press")
        painted = await widget.qr.evaluate("image => image.src.includes('.png')")
        assert painted == handheld, agent  # what is pressed long or saved must be a picture of pixels
