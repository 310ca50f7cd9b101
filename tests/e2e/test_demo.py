"""What a newcomer does with the demo, in two tabs: the shop, and the pretend phone."""

from playwright.async_api import BrowserContext, Page, expect
from process import Demo


class Phone:
    """The pretend phone in its tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(cls, context: BrowserContext, where: Demo, nickname: str) -> "Phone":
        page = await context.new_page()
        await page.goto(f"{where.phone}/")
        name = page.get_by_test_id("new-user-name")
        if not await name.is_visible():
            await page.get_by_test_id("add-user").click()
        await name.fill(nickname)
        await page.get_by_test_id("new-user-language").select_option("en")
        await page.get_by_test_id("new-user").click()
        await expect(name).to_be_hidden()
        return cls(page)

    async def scan_newest(self) -> None:
        await self.page.bring_to_front()
        await self.page.get_by_test_id("scan").click()
        await self.page.get_by_test_id("code-item").first.click()
        follow = self.page.get_by_test_id("follow")
        last = self.page.get_by_test_id("chat").get_by_text("Not me").last
        await expect(follow.or_(last).first).to_be_visible()
        if await follow.is_visible():
            await follow.click()

    async def tap(self, label: str) -> None:
        await self.page.bring_to_front()
        await self.page.get_by_test_id("chat-link").filter(has_text=label).last.click()

    async def type(self, text: str) -> None:
        await self.page.bring_to_front()
        await self.page.get_by_test_id("chat-input").fill(text)
        await self.page.get_by_test_id("chat-send").click()


async def sign_in(page: Page, where: Demo, name: str) -> None:
    await page.goto(f"{where.shop}/login")
    await page.get_by_test_id("login-name").fill(name)
    await page.get_by_test_id("login-password").fill(name)
    await page.get_by_test_id("login-submit").click()
    await expect(page.get_by_test_id("whoami")).to_contain_text(name)


async def number_on(page: Page) -> str:
    await page.bring_to_front()
    match = page.get_by_test_id("match")
    await expect(match).to_be_visible()
    return (await match.inner_text()).strip()


async def test_a_newcomer_binds_logs_in_registers_and_disconnects(running: Demo, context: BrowserContext) -> None:
    shop = await context.new_page()
    await sign_in(shop, running, "ben")
    phone = await Phone.open(context, running, "Bao")

    await shop.bring_to_front()
    await shop.goto(f"{running.shop}/settings")
    await expect(shop.get_by_test_id("qr")).to_be_visible()
    await phone.scan_newest()
    await phone.type(await number_on(shop))
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("binding")).to_be_visible()

    await shop.get_by_test_id("logout").click()
    await shop.goto(f"{running.shop}/login")
    await expect(shop.get_by_test_id("qr")).to_be_visible()
    await phone.scan_newest()
    await phone.tap(await number_on(shop))
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("whoami")).to_contain_text("ben")

    await shop.goto(f"{running.shop}/settings")
    await shop.get_by_test_id("disconnect").click()
    await expect(shop.get_by_test_id("qr")).to_be_visible()

    await shop.get_by_test_id("logout").click()
    await shop.goto(f"{running.shop}/login")
    await expect(shop.get_by_test_id("qr")).to_be_visible()
    await phone.scan_newest()
    await phone.tap(await number_on(shop))
    await shop.bring_to_front()
    await shop.get_by_test_id("signup-name").fill("bao")
    await shop.get_by_test_id("signup-password").fill("correct horse")
    await shop.get_by_test_id("signup-submit").click()
    await expect(shop.get_by_test_id("whoami")).to_contain_text("bao")


async def test_not_me_and_a_wrong_number_leave_the_visitor_outside(running: Demo, context: BrowserContext) -> None:
    shop = await context.new_page()
    await shop.goto(f"{running.shop}/login")
    await expect(shop.get_by_test_id("qr")).to_be_visible()
    phone = await Phone.open(context, running, "Cai")
    await phone.scan_newest()
    await number_on(shop)
    await phone.tap("Not me")
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("refresh-code")).to_be_visible()

    await shop.get_by_test_id("refresh-code").click()
    await expect(shop.get_by_test_id("refresh-code")).to_be_hidden()
    await phone.scan_newest()
    shown = await number_on(shop)
    await phone.type("10" if shown != "10" else "11")
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("refresh-code")).to_be_visible()
    await expect(shop.get_by_test_id("login-name")).to_be_visible()
