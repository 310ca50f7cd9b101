"""The widget in sites' pages: their policies, frameworks, languages and styles."""

import pytest
from aiohttp import web
from harness import World
from pages import Site
from playwright.async_api import Browser, BrowserContext, expect
from proxy import Proxy, Rule, no_streams
from widget import LOGIN, Console, Widget, confirm, opened

from handlers.assets import SCRIPTS
from service.cli.main import main

BIND = '<scanbind-qr purpose="bind" ticket-url="/ticket"></scanbind-qr>'
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
IN_WECHAT = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/130.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.60.2860(0x28003C59) WeChat/arm64 Language/en"
)

PROVOKED = ("Failed to load resource", "Access to fetch")


# -- policies --


async def test_what_the_command_prints_pins_the_script(
    town: World, site: Site, context: BrowserContext, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("widget", "--config", str(town.settings.data_dir / "config.yaml"))) == 0
    tags = capsys.readouterr().out
    assert tags.count("integrity=") == 2
    widget = await opened(context, site.put(LOGIN, head=tags))
    await widget.shows_a_code()
    assert await widget.page.evaluate("Boolean(customElements.get('scanbind-portal'))")


async def test_a_script_with_another_byte_is_not_run(
    between: Proxy, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect("Failed to find a valid digest")
    tag = SCRIPTS["widget"].tag(between.url)

    async def meddle(request: web.Request, _: Proxy) -> web.Response | None:
        if request.path.startswith("/widget"):
            headers = {"Access-Control-Allow-Origin": site.origin}
            body = SCRIPTS["widget"].body + b"\n"
            return web.Response(body=body, content_type="text/javascript", headers=headers)
        return None

    between.rule = meddle
    page = await site.open(context, LOGIN, head=tag)
    await expect(page.locator("scanbind-qr:not(:defined)")).to_have_count(1)
    assert console.faults


@pytest.mark.parametrize("rule", [None, no_streams])
async def test_the_secret_is_in_no_address(
    between: Proxy, town: World, site: Site, context: BrowserContext, *, console: Console, rule: Rule | None
) -> None:
    console.expect(*PROVOKED)
    between.rule = rule
    made = (await town.bind("42")).made
    body = f'<scanbind-qr purpose="bind" ticket="{made["ticket"]}" secret="{made["secret"]}"></scanbind-qr>'
    widget = await opened(context, site.put(body))
    await widget.shows_a_code()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    addresses = [one.path for one in between.asked]
    assert any(made["ticket"] in address for address in addresses)
    assert not any(made["secret"] in address for address in addresses)


async def test_the_widget_needs_no_global_and_leaves_none(
    town: World, site: Site, context: BrowserContext
) -> None:
    page = await site.open(context, "", head="")
    before = await page.evaluate("Object.getOwnPropertyNames(globalThis)")
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    assert set(await widget.page.evaluate("Object.getOwnPropertyNames(globalThis)")) == set(before)


# -- scripts and frameworks --


async def test_what_is_set_before_the_script_has_loaded_is_kept(
    town: World, site: Site, context: BrowserContext
) -> None:
    page = await site.open(context, "", head="")
    await page.evaluate(
        """(host) => {
          const one = document.createElement("scanbind-qr");
          one.setAttribute("purpose", "bind");
          one.source = async () => (await fetch("/ticket", { method: "POST", body: '{"purpose":"bind"}' })).json();
          one.texts = { waiting: "Scan, please" };
          document.querySelector("main").append(one);
          return import(`${host}/widget.js`).then(() => null);
        }""",
        town.url,
    )
    widget = Widget(page)
    await widget.shows_a_code()
    await expect(widget.status).to_have_text("Scan, please")


async def test_attributes_that_change_together_begin_once(
    town: World, site: Site, context: BrowserContext
) -> None:
    page = await site.open(context, "")
    widget = Widget(page)
    await page.evaluate(
        """() => {
          const one = document.querySelector("main").appendChild(document.createElement("scanbind-qr"));
          one.setAttribute("purpose", "login");
          one.setAttribute("client-id", "shop");
          one.setAttribute("state", "s");
          one.setAttribute("lang", "zh");
        }"""
    )
    await widget.shows_a_code()
    assert len(town.sandbox.codes()) == 1


async def test_several_widgets_on_one_page_each_follow_their_own_code(
    town: World, site: Site, context: BrowserContext
) -> None:
    page = await site.open(context, LOGIN.replace("<scanbind-qr", '<scanbind-qr id="left"') + BIND)
    left, right = Widget(page, "#left"), Widget(page, "[purpose=bind]")
    await left.shows_a_code()
    await right.shows_a_code()
    anna = await town.person()
    [mine] = {one["ticket"] for one in await left.told("status") if one["id"] == "left"} - {None}
    [code] = [code for code in town.sandbox.codes() if code.scene.startswith(mine)]
    await town.sandbox.scan(anna, code)
    await town.say(anna, await left.number())
    await left.becomes("confirmed")
    assert await right.has("waiting")
    [said] = await left.told("confirmed")
    assert said["id"] == "left"


async def test_a_widget_that_is_moved_keeps_its_code(town: World, site: Site, context: BrowserContext) -> None:
    widget = await opened(context, site.put(LOGIN + "<section></section>"))
    await widget.shows_a_code()
    await widget.page.evaluate("document.querySelector('section').append(document.querySelector('scanbind-qr'))")
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    await widget.has_had(1)


async def test_a_widget_that_is_put_back_begins_anew(town: World, site: Site, context: BrowserContext) -> None:
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await widget.page.evaluate("globalThis.one = document.querySelector('scanbind-qr'); one.remove()")
    await widget.page.evaluate("document.querySelector('main').append(one)")
    await widget.has_had(2)
    await widget.shows_a_code()


async def test_a_page_may_ask_for_a_new_code_and_read_the_status(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    assert await widget.host.evaluate("one => one.status") == "waiting"
    await widget.host.evaluate("one => one.refresh()")
    await widget.has_had(2)
    await widget.shows_a_code()


async def test_events_leave_a_shadow_root(town: World, site: Site, context: BrowserContext) -> None:
    page = await site.open(context, '<div id="holder"></div>')
    await page.evaluate(
        """() => {
          const one = document.createElement("scanbind-qr");
          one.setAttribute("client-id", "shop");
          document.querySelector("#holder").attachShadow({ mode: "open" }).append(one);
        }"""
    )
    widget = Widget(page)
    await widget.shows_a_code()
    assert "waiting" in await widget.statuses()


# -- words and looks --


@pytest.mark.parametrize(
    ("attributes", "page_lang", "words"),
    [
        ('lang="zh"', "en", "请用微信扫一扫"),
        ('lang="en-GB"', "zh", "Scan with WeChat"),
        ("", "zh-Hant-TW", "请用微信扫一扫"),
        ("", "", "Scan with WeChat"),  # as the browser says
        ("""texts='{"waiting":"Scan, please"}'""", "en", "Scan, please"),
    ],
)
async def test_words_follow_the_element_then_the_page_then_the_browser(
    town: World, site: Site, context: BrowserContext, *, attributes: str, page_lang: str, words: str
) -> None:
    widget = await opened(context, site.put(LOGIN.replace("state", f"{attributes} state"), lang=page_lang))
    await widget.shows_a_code()
    await expect(widget.status).to_have_text(words)


async def test_words_that_are_no_json_are_told_to_the_console_and_left(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    widget = await opened(context, site.put(LOGIN.replace("state", "texts='not JSON' state"), lang="en"))
    await widget.shows_a_code()
    await expect(widget.status).to_have_text("Scan with WeChat")
    assert console.reasons == ["texts is not JSON"]
    await expect(widget.host).to_have_attribute("data-error", "texts is not JSON")


async def test_a_page_from_right_to_left_keeps_the_order_of_the_words(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await opened(context, site.put(f'<div dir="rtl">{LOGIN}</div>'))
    await widget.shows_a_code()
    for part in (widget.status, widget.host.locator("[part=hint]")):
        await expect(part).to_have_css("unicode-bidi", "plaintext")  # else the full stop goes to the left


async def test_text_never_becomes_markup(town: World, site: Site, context: BrowserContext) -> None:
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await widget.host.evaluate("one => { one.texts = { waiting: '<img src=x><b>bold</b>' } }")
    await expect(widget.status).to_have_text("<img src=x><b>bold</b>")
    await expect(widget.host.locator("b")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark", "auto", ""])
async def test_the_theme_is_the_elements_else_the_pages(
    town: World, site: Site, context: BrowserContext, theme: str
) -> None:
    page = await context.new_page()
    await page.emulate_media(color_scheme="dark")
    await page.goto(site.put(LOGIN.replace("state", f'theme="{theme}" state' if theme else "state")))
    widget = Widget(page)
    await widget.shows_a_code()
    background = await widget.host.locator(".box").evaluate("box => getComputedStyle(box).backgroundColor")
    dark = sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(","))) < 200
    assert dark == (theme in ("dark", "auto"))  # a page that says nothing of color-scheme is a light one


async def test_a_site_gives_it_its_own_colours_and_reaches_its_parts(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await widget.page.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`
            scanbind-qr { --scanbind-background: rgb(1, 2, 3); --scanbind-size: 300px }
            scanbind-qr::part(hint) { color: rgb(4, 5, 6) }`);
          document.adoptedStyleSheets = [sheet];
        }"""
    )
    await expect(widget.host.locator(".box")).to_have_css("background-color", "rgb(1, 2, 3)")
    await expect(widget.host.locator("[part=hint]")).to_have_css("color", "rgb(4, 5, 6)")
    await expect(widget.qr).to_have_css("width", "300px")


# -- phones --


@pytest.mark.parametrize(
    ("agent", "hint", "saves"),
    [
        (IPHONE, "Save the picture,", True),
        (IN_WECHAT, "Press and hold the QR code", False),
        (None, "tap + and then", False),
    ],
)
async def test_a_phone_is_told_what_a_phone_can_do(
    town: World, site: Site, browser: Browser, *, agent: str | None, hint: str, saves: bool
) -> None:
    context = await browser.new_context(user_agent=agent, viewport={"width": 375, "height": 720}, locale="en-US")
    widget = await opened(context, site.put(LOGIN))
    await widget.page.get_by_text(hint).wait_for()
    await expect(widget.qr).to_be_visible()
    painted = await widget.qr.evaluate("image => image.src.includes('.png')")
    assert painted == bool(agent)  # what is pressed long or saved must be a picture of pixels
    await expect(widget.save).to_be_visible(visible=saves)
    if saves:
        async with widget.page.expect_download() as download:
            await widget.save.click()
        assert (await download.value).suggested_filename == "wechat.png"
    await context.close()
