"""An element that is not seen asks for nothing; one that is seen again goes on with its code.

Red when `isIdle` looks at `document.hidden` alone, or when `_look` no longer observes anew each second.
"""

from typing import Final

from harness import World
from pages import POLICY, Site
from playwright.async_api import BrowserContext
from proxy import Proxy
from widget import LOGIN, Widget, confirm, opened, scan_newest, timed, until
from widget_waiting import asked_during

STYLED: Final = POLICY + "; style-src 'unsafe-inline'"
HIDDEN: Final = {
    "none": '<div style="display:none">{}</div>',
    "hidden": "<div hidden>{}</div>",
    "dialog": "<dialog>{}</dialog>",
    "details": "<details><summary>More</summary>{}</details>",
    "visibility": '<div style="visibility:hidden">{}</div>',
    "opacity": '<div style="opacity:0">{}</div>',
    "content": '<div style="content-visibility:hidden">{}</div>',
    "collapsed": '<div style="height:0;overflow:hidden">{}</div>',
    "clipped": '<div style="width:400px;overflow:hidden"><div style="margin-left:900px">{}</div></div>',
    "until-found": '<div hidden="until-found">{}</div>',
    "drawer": '<div style="position:fixed;top:0;left:0;transform:translateX(-100%)">{}</div>',
    "bottom-sheet": '<div style="position:fixed;bottom:0;left:0;transform:translateY(100%)">{}</div>',
    "far": '<div style="margin-top:5000px">{}</div>',
}
"""Each way to keep an element from being seen."""
REVEAL: Final = """
(id) => {
  const one = document.getElementById(id);
  for (let place = one; place; place = place.parentElement) {
    place.hidden = false;
    place.removeAttribute("style");
    if (/DIALOG|DETAILS/.test(place.tagName)) place.open = true;
  }
  one.scrollIntoView();
}
"""
TABS: Final = f'<div id="panel">{LOGIN}</div>'


async def show(widget: Widget, *, shown: bool) -> None:
    await widget.page.evaluate("(shown) => { document.getElementById('panel').hidden = !shown }", shown)


async def test_an_element_that_is_not_seen_makes_no_code_until_it_is(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    body = "".join(
        around.format(LOGIN.replace("<scanbind-qr", f'<scanbind-qr id="{way}"')) for way, around in HIDDEN.items()
    )
    page = await context.new_page()
    await page.goto(site.put(body, policy=STYLED))
    await page.wait_for_function("Boolean(customElements.get('scanbind-qr'))")
    await page.wait_for_timeout(2_500)  # two looks
    assert not any(one.path.startswith("/v1/") for one in between.asked)
    for number, way in enumerate(HIDDEN, start=1):
        await page.evaluate(REVEAL, way)
        await Widget(page, f"#{way}").shows_a_code()
        made = [one for one in between.asked if one.method == "POST"]
        assert len(made) == number, way


async def test_a_closed_panel_disconnects_and_keeps_its_code_for_the_next_opening(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    widget = await timed(context, site.put(TABS))
    await widget.shows_a_code()
    first = await widget.ticket()
    await until(lambda: between.holding)
    await show(widget, shown=False)
    await until(lambda: not between.holding)
    assert await asked_during(between, widget.page, 120) == set()
    await show(widget, shown=True)
    await until(lambda: between.holding)
    assert await widget.ticket() == first
    await show(widget, shown=False)
    await until(lambda: not between.holding)
    town.clock.advance(400)
    assert await asked_during(between, widget.page, 400) == set()  # nor is there another code
    await show(widget, shown=True)
    await widget.has_had(2)
    await confirm(town, anna, widget)
    await widget.becomes("confirmed")


async def test_a_scan_goes_on_in_a_panel_that_was_closed_meanwhile(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    widget = await opened(context, site.put(TABS))
    await widget.shows_a_code()
    await scan_newest(town, anna)
    number = await widget.number()
    await show(widget, shown=False)
    await widget.page.wait_for_timeout(1_500)  # a look
    await town.say(anna, number)
    await widget.becomes("confirmed")
    [confirmed] = await widget.told("confirmed")
    assert (await town.exchange(confirmed["code"])).status == 200
    await until(lambda: not between.holding)
