"""The phone page's camera reads pasted, dropped and chosen pictures."""

import io

import pytest
from aiohttp import ClientSession
from phone import blank, drawn, expect_question, follower, hand_over, new_code, picture_of
from PIL import Image
from playwright.async_api import Browser, BrowserContext, expect
from process import Demo


async def test_a_pasted_screenshot_of_the_shops_page_is_scanned(
    running: Demo, browser: Browser, context: BrowserContext
) -> None:
    seen_by = await browser.new_context(device_scale_factor=2, color_scheme="dark")
    shop = await seen_by.new_page()
    await shop.goto(f"{running.shop}/login")
    await expect(shop.get_by_test_id("qr")).to_be_visible()
    screenshot = await shop.screenshot(full_page=True)
    page = await follower(context, running, "Pia")
    await hand_over(page, "paste", screenshot)
    await expect_question(page)
    await seen_by.close()


async def test_a_dropped_picture_is_scanned(running: Demo, context: BrowserContext, http: ClientSession) -> None:
    page = await follower(context, running, "Dora")
    picture = await picture_of(http, running, await new_code(http, running))
    await hand_over(page, "dragover", picture)
    await expect(page.get_by_text("Drop the picture here")).to_be_visible()
    await hand_over(page, "drop", picture)
    await expect(page.get_by_text("Drop the picture here")).to_be_hidden()
    await expect_question(page)


async def test_a_photograph_of_another_kind_is_drawn_anew_and_scanned(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await follower(hand, running, "Filip")
    out = io.BytesIO()
    Image.open(io.BytesIO(await picture_of(http, running, await new_code(http, running)))).save(out, "GIF")
    await page.get_by_test_id("scan").click()
    photograph = {"name": "photo.gif", "mimeType": "image/gif", "buffer": out.getvalue()}
    await page.get_by_test_id("picture-file").set_input_files(photograph)
    await expect_question(page)
    await expect(page.get_by_test_id("camera")).to_be_hidden()


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (b"no picture", "cannot be read as a picture"),
        (blank(), "no QR code in the picture"),
        (drawn("elsewhere"), "in the picture does not belong to this sandbox"),
    ],
    ids=["no picture", "no code", "foreign code"],
)
async def test_a_picture_that_shows_none_of_our_codes_says_why(
    running: Demo, hand: BrowserContext, picture: bytes, says: str
) -> None:
    page = await follower(hand, running, "Bea")
    await hand_over(page, "drop", picture)
    await expect(page.get_by_test_id("toast")).to_contain_text(says)
    await expect(page.get_by_test_id("chat-line")).to_have_count(1)  # the greeting alone


async def test_of_several_codes_in_a_picture_one_is_chosen(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    first, second = [await new_code(http, running) for _ in range(2)]
    both = Image.new("L", (1200, 600), 255)
    for number, ticket in enumerate((first, second)):
        both.paste(Image.open(io.BytesIO(drawn(ticket["qr_url"]))), (number * 600, 0))
    out = io.BytesIO()
    both.save(out, "PNG")
    page = await follower(hand, running, "Sven")
    await hand_over(page, "paste", out.getvalue())
    shown = page.get_by_test_id("code-item")
    await expect(shown).to_have_count(2)
    code = first["qr_url"].rpartition("/")[2]
    await page.locator(f'[data-testid="code-item"][data-code="{code}"]').click()
    await expect_question(page)
    async with http.get(
        f"{running.service}/v1/tickets/{first['ticket']}", headers={"Authorization": f"Bearer {first['secret']}"}
    ) as response:
        assert (await response.json())["status"] == "scanned"


async def test_a_pasted_address_is_scanned_and_another_is_not(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await follower(hand, running, "Ada")
    await page.get_by_test_id("scan").click()
    await page.get_by_test_id("code-address").fill("http://elsewhere.example/q/02nothing")
    await page.get_by_test_id("code-read").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("QR code does not belong to this sandbox")
    await page.get_by_test_id("code-address").fill((await new_code(http, running))["qr_url"])
    await page.get_by_test_id("code-read").click()
    await expect_question(page)
