"""The demo in two tabs: the shop with its portal, and the sandbox's phone."""

from axe_playwright_python.async_playwright import Axe
from phone import hand_over
from playwright.async_api import BrowserContext, Locator, Page, expect
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

    async def scan(self, shop: Page) -> None:
        """Point the camera at the code that *shop* shows, which need not be the newest."""
        ticket = await shop.evaluate("told.findLast((one) => one.ticket).ticket")
        await self.page.bring_to_front()
        await self.page.get_by_test_id("scan").click()
        await self.page.locator(f'[data-scene^="{ticket}"]').click()
        follow = self.page.get_by_test_id("follow")
        last = self.page.get_by_test_id("chat").get_by_text("Not me").last
        await expect(follow.or_(last).first).to_be_visible()
        if await follow.is_visible():
            await follow.click()

    async def tap(self, label: str) -> None:
        await self.page.bring_to_front()
        await self.page.get_by_test_id("chat-link").filter(has_text=label).last.click()

    async def wrong_number(self, right: str) -> str:
        """Return a number that no question offers: an older one's answers that one, in vain.

        The newest question may not be in the chat yet.
        """
        offered = [right, *await self.page.get_by_test_id("chat-link").all_inner_texts()]
        return next(str(number) for number in range(10, 100) if str(number) not in offered)

    async def type(self, text: str) -> None:
        await self.page.bring_to_front()
        await self.page.get_by_test_id("chat-input").fill(text)
        await self.page.get_by_test_id("chat-send").click()


async def fill(page: Page, way: str, name: str, password: str) -> None:
    """Fill in the form to sign in (`login`) or up (`signup`), and send it."""
    await page.get_by_test_id(f"{way}-name").fill(name)
    await page.get_by_test_id(f"{way}-password").fill(password)
    await page.get_by_test_id(f"{way}-submit").click()


async def sign_in(page: Page, where: Demo, name: str) -> None:
    await page.goto(f"{where.shop}/login")
    await fill(page, "login", name, name)
    await expect(page.get_by_test_id("whoami")).to_contain_text(name)


async def code_on(page: Page) -> None:
    await page.bring_to_front()
    await expect(page.get_by_test_id("qr")).to_be_visible()


async def number_on(page: Page) -> str:
    await page.bring_to_front()
    match = page.get_by_test_id("match")
    await expect(match).to_be_visible()
    return (await match.inner_text()).strip()


async def scan_at_login(shop: Page, phone: Phone, where: Demo) -> None:
    await shop.goto(f"{where.shop}/login")
    await code_on(shop)
    await phone.scan(shop)
    await phone.tap(await number_on(shop))
    await shop.bring_to_front()


async def test_a_newcomer_binds_logs_in_disconnects_and_registers(running: Demo, context: BrowserContext) -> None:
    shop = await context.new_page()
    await sign_in(shop, running, "ben")
    phone = await Phone.open(context, running, "Bao")

    await shop.bring_to_front()
    await shop.get_by_test_id("portal").click()
    await code_on(shop)
    await phone.scan(shop)
    await phone.type(await number_on(shop))
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("portal-binding")).to_be_visible()
    await expect(shop.get_by_test_id("portal-account-name")).to_contain_text("ben")
    await shop.get_by_test_id("portal-return").click()
    await expect(shop.get_by_test_id("binding")).to_be_visible()

    await shop.get_by_test_id("logout").click()
    await scan_at_login(shop, phone, running)
    await expect(shop.get_by_test_id("whoami")).to_contain_text("ben")

    await shop.get_by_test_id("portal").click()
    await shop.get_by_test_id("portal-disconnect").click()
    await expect(shop.get_by_test_id("portal-only-login")).to_be_hidden()
    await shop.get_by_test_id("portal-confirm-yes").click()
    await code_on(shop)
    await shop.get_by_test_id("portal-return").click()
    await expect(shop.get_by_test_id("binding")).to_be_hidden()

    await shop.get_by_test_id("logout").click()
    await scan_at_login(shop, phone, running)
    await expect(shop.get_by_test_id("wechat-waiting")).to_be_visible()
    await shop.get_by_test_id("by-name").click()
    await fill(shop, "signup", "bao", "")
    await expect(shop.get_by_test_id("whoami")).to_contain_text("bao")
    await expect(shop.get_by_test_id("binding")).to_be_visible()

    await shop.get_by_test_id("portal").click()
    await shop.get_by_test_id("portal-disconnect").click()
    await expect(shop.get_by_test_id("portal-only-login")).to_be_visible()
    await shop.get_by_test_id("portal-confirm-no").click()


async def test_a_person_is_one_by_every_method(running: Demo, context: BrowserContext) -> None:
    """Red when the emulated apps have another host than the service, or share no unionids."""
    phone = await Phone.open(context, running, "Gil")
    page = phone.page
    await page.get_by_test_id("visit-start").click()
    await expect(page.get_by_test_id("visit-address")).to_have_value(running.shop)
    await page.get_by_test_id("visit-open").click()
    inside = page.frame_locator('[data-testid="browser-page"]')
    await expect(inside.locator("scanbind-qr")).to_have_count(0)
    await inside.get_by_test_id("h5").click()
    await inside.get_by_test_id("go-on").click()
    await inside.get_by_test_id("allow").click()
    await expect(inside.get_by_test_id("wechat-waiting")).to_be_visible()
    await inside.get_by_test_id("by-name").click()
    await inside.get_by_test_id("signup-name").fill("gil")
    await inside.get_by_test_id("signup-submit").click()
    await expect(inside.get_by_test_id("whoami")).to_contain_text("gil")
    assert (await Axe().run(page)).response["violations"] == []
    await inside.get_by_test_id("portal").click()
    await expect(inside.get_by_test_id("portal-binding")).to_be_visible()
    await page.get_by_test_id("browser-close").click()

    shop = await context.new_page()
    for way in (allow_in_the_frame, allow_on_wechats_page, answer_the_link):
        await shop.goto(f"{running.shop}/login")
        await code_on(shop)
        await way(shop, page)
        await shop.bring_to_front()
        await expect(shop.get_by_test_id("whoami")).to_contain_text("gil")
        await shop.get_by_test_id("logout").click()


async def choose(shop: Page, method: str) -> None:
    await shop.locator(f"[part=method][value={method}]").click()
    await expect(shop.locator("[part=method][value=scan]")).to_be_visible()


async def allow_in_the_frame(shop: Page, phone: Page) -> None:
    await choose(shop, "website")
    await allow(shop.frame_locator("scanbind-qr iframe").get_by_test_id("login"), phone)


async def allow_on_wechats_page(shop: Page, phone: Page) -> None:
    await choose(shop, "website")
    await shop.locator("[part=go]").click()
    await allow(shop.get_by_test_id("login"), phone)


async def allow(login: Locator, phone: Page) -> None:
    """Scan the code on WeChat's page with the camera, and allow the login."""
    consent = await login.get_attribute("data-consent")
    await phone.bring_to_front()
    await phone.get_by_test_id("scan").click()
    await phone.locator(f'[data-code="{consent}"]').click()
    await expect(phone.get_by_test_id("consent")).to_contain_text("Example shop")
    await phone.get_by_test_id("consent-allow").click()


async def answer_the_link(shop: Page, phone: Page) -> None:
    """Scan a code of the service's own, which opens a page inside WeChat, and answer there."""
    await choose(shop, "link")
    picture = await shop.get_by_test_id("qr").screenshot()
    await phone.bring_to_front()
    await hand_over(phone, "paste", picture)
    question = phone.frame_locator('[data-testid="browser-page"]').locator("form")
    await expect(question).to_be_visible()
    number = await number_on(shop)
    await phone.bring_to_front()
    await question.get_by_role("button", name=number).click()
    await phone.get_by_test_id("browser-close").click()


async def test_a_snapshot_identifies_no_person_until_the_full_service(
    running: Demo, context: BrowserContext
) -> None:
    """Red when a reload of the service's snapshot page does not begin anew."""
    page = (await Phone.open(context, running, "Hal")).page
    await page.get_by_test_id("drawer").locator("summary").first.click()
    await page.get_by_test_id("snapshots").check()
    await page.get_by_test_id("visit-start").click()
    await page.get_by_test_id("visit-open").click()
    inside = page.frame_locator('[data-testid="browser-page"]')
    await inside.get_by_test_id("h5").click()
    await expect(inside.get_by_test_id("sign-in-snapshot")).to_be_visible()
    await page.get_by_test_id("full-service").click()
    await expect(inside.get_by_test_id("go-on")).to_be_visible()


async def test_a_new_wechat_goes_to_an_account_there_already_is(running: Demo, context: BrowserContext) -> None:
    shop = await context.new_page()
    phone = await Phone.open(context, running, "Dai")
    await scan_at_login(shop, phone, running)
    await expect(shop.get_by_test_id("wechat-waiting")).to_be_visible()
    await shop.get_by_role("link", name="I have a password").click()
    await shop.get_by_test_id("login-join").check()
    await fill(shop, "login", "anna", "anna")
    await expect(shop.get_by_test_id("whoami")).to_contain_text("anna")
    await expect(shop.get_by_test_id("binding")).to_be_visible()


async def test_a_new_account_has_a_password_and_the_wechat_it_asked_for(
    running: Demo, context: BrowserContext
) -> None:
    shop = await context.new_page()
    phone = await Phone.open(context, running, "Fei")
    await scan_at_login(shop, phone, running)
    await shop.get_by_test_id("by-name").click()
    await expect(shop.get_by_test_id("wechat-waiting")).to_contain_text("Tick")
    await expect(shop.get_by_test_id("signup-join")).not_to_be_checked()
    await shop.get_by_test_id("signup-join").check()
    assert (await Axe().run(shop)).response["violations"] == []
    await fill(shop, "signup", "fei", "open sesame")
    await expect(shop.get_by_test_id("whoami")).to_contain_text("fei")
    await expect(shop.get_by_test_id("binding")).to_be_visible()


async def test_not_me_and_a_wrong_number_leave_the_visitor_outside(running: Demo, context: BrowserContext) -> None:
    shop = await context.new_page()
    await shop.goto(f"{running.shop}/login")
    await code_on(shop)
    phone = await Phone.open(context, running, "Cai")
    await phone.scan(shop)
    await number_on(shop)
    await phone.tap("Not me")
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("refresh-code")).to_be_visible()

    await shop.get_by_test_id("refresh-code").click()
    await code_on(shop)
    await phone.scan(shop)
    await phone.type(await phone.wrong_number(await number_on(shop)))
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("refresh-code")).to_be_visible()
    await expect(shop.get_by_test_id("login-name")).to_be_visible()


async def test_a_wrong_password_is_told(running: Demo, context: BrowserContext) -> None:
    shop = await context.new_page()
    await shop.goto(f"{running.shop}/login")
    await fill(shop, "login", "anna", "ben")
    await expect(shop.get_by_test_id("notice")).to_be_visible()
    await expect(shop.get_by_test_id("login-name")).to_be_visible()


async def test_the_shop_has_no_barrier_in_either_language_or_light(running: Demo, context: BrowserContext) -> None:
    shop = await context.new_page()
    for scheme in ("light", "dark"):
        await shop.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of the two it takes
        for path in (
            "/login?lang=zh",
            "/login?lang=en&say=wrong",
            "/signup?lang=zh&say=taken",
            "/ways?lang=en",
            "/ways?lang=zh",
        ):
            await shop.goto(running.shop + path)
            assert (await Axe().run(shop)).response["violations"] == []
        await sign_in(shop, running, "ben")
        assert (await Axe().run(shop)).response["violations"] == []
        await shop.get_by_test_id("logout").click()
