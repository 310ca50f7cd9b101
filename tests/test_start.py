"""Runs every block of the pages in docs/start, in both languages, against an emulated account of the page's kind.

Red when a setting on a page is misspelt or missing, when a page's site cannot log a person in, when the settings
for one's own account differ in more than credentials from those that were tried, and when the doctor prints other
lines than the page shows.
"""

import re
import shutil
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import web
from desk import Desk, at_desk, ended
from first_logins import ByMiniProgram, ByPasscode, ByRedirect, ByScan, ByWeCom, Login, new_browser
from guide import Guide
from serving import listening

from sandbox import kinds
from sandbox.app import make_app
from sandbox.crypto import sign
from service.config.settings import Settings, validate

DOCS: Final = Path(__file__).parent.parent / "docs"
UNSIGNED: Final = "accounts.test.kind: a test account: nothing signs the bodies of its pushes"
METHOD: Final = re.compile(r'^ +wanted\["method"\] = .*$', re.MULTILINE)
CREDENTIALS: Final = {"appid", "secret", "token", "aes_key", "corpid", "agentid"}
OWN: Final = CREDENTIALS | {"api_base", "open_base", "open_platform", "oauth", "name", "picture"}
"""What differs between the account that is tried and one's own."""


@dataclass(frozen=True)
class Page:
    """A page, the kind of account that it is about, and its site."""

    name: str
    kind: kinds.Kind
    account: str
    """In the configuration."""
    site: str
    """The page that has it."""
    log_in: Login


PAGES: Final = (
    Page("test-account", "test", "test", "integration", ByScan()),
    Page("service-account", "service", "main", "integration", ByScan()),
    Page("personal-account", "personal", "personal", "integration", ByPasscode()),
    Page("website-application", "website", "site", "redirects", ByRedirect()),
    Page("mini-program", "miniprogram", "mini", "integration", ByMiniProgram()),
    Page("wecom", "company", "corp", "redirects", ByWeCom()),
)


@pytest.mark.parametrize("language", ["", ".zh"], ids=["en", "zh"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_a_page_leads_to_a_login_and_to_ones_own_account(page: Page, language: str, tmp_path: Path) -> None:
    async with at_desk(tmp_path, DOCS / "start" / f"{page.name}{language}.md") as desk:
        tried = await try_without_an_account(desk, page, DOCS / f"{page.site}{language}.md")
        own = yaml.safe_load(desk.guide.take("yaml"))
        assert same_but_for_credentials(validate(own), tried, page.account)
        await use_ones_own_account(desk, page, own)
        assert desk.guide.left == []


@pytest.mark.parametrize("language", ["", ".zh"], ids=["en", "zh"])
def test_the_first_table_leads_to_every_page(language: str) -> None:
    text = (DOCS / "start" / f"README{language}.md").read_text("utf-8").partition("\n## ")[0]
    assert re.findall(r"\]\(([\w-]+)(?:\.zh)?\.md\) \|$", text, re.MULTILINE) == [page.name for page in PAGES]


async def try_without_an_account(desk: Desk, page: Page, site: Path) -> Settings:
    """Section 2; return the settings."""
    config = desk.folder / "my.yaml"
    async with AsyncExitStack() as stack:
        printed = await desk.sandbox(stack, desk.guide.take("sh"))
        config.write_text(printed + desk.guide.take("yaml"), encoding="utf-8")
        checked = (await desk.run(f"{desk.guide.take('sh')} 2>&1")).splitlines()
        assert checked.pop() == "configuration is good"
        assert [UNSIGNED in line.replace("warning: ", "") for line in checked] == [True] * (page.kind == "test")
        await stack.enter_async_context(ended(await desk.start(desk.guide.take("sh"))))
        await desk.wait_for(f"{desk.service}/readyz")
        await stack.enter_async_context(ended(await desk.start(save_site(desk, site))))
        await desk.wait_for(f"{desk.site}/")
        await log_in_twice(desk, page.log_in)
    assert (UNSIGNED in (desk.folder / "terminals.log").read_text("utf-8")) == (page.kind == "test")
    return validate(yaml.safe_load(config.read_text("utf-8")))


async def log_in_twice(desk: Desk, log_in: Login) -> None:
    """Log the same person in in two browsers: it is the same user."""
    person = (await desk.phone("users", nickname="Bao"))["id"]
    async with new_browser() as first, new_browser() as second:
        assert await log_in(desk, first, person) == await log_in(desk, second, person)


def save_site(desk: Desk, page: Path) -> str:
    """Save the first site in Python of *page*, with the line that the guide changes; return how to start it."""
    there = Guide(page, desk.guide.elsewhere)
    while there.left[0].language != "python":
        there.left.pop(0)
    program = there.take("python")
    if desk.guide.left[0].language == "python":
        program, changed = METHOD.subn(desk.guide.take("python"), program)
        assert changed == 1
    command = desk.guide.take("sh")
    assert command == there.take("sh")
    (desk.folder / command.split()[1]).write_text(program + "\n", encoding="utf-8")
    return command


def same_but_for_credentials(one: Settings, other: Settings, name: str) -> bool:
    def kept(settings: Settings) -> dict[str, Any]:
        return ({**settings.accounts} | {**settings.apps})[name].model_dump(exclude=OWN)

    return (kept(one), one.clients) == (kept(other), other.clients)


async def use_ones_own_account(desk: Desk, page: Page, own: dict[str, Any]) -> None:
    """Section 3, as far as the doctor."""
    [part] = {"accounts", "apps"} & own.keys()
    (desk.folder / "my.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    shutil.rmtree(desk.folder / "var")
    async with AsyncExitStack() as stack:
        wechat = await stack.enter_async_context(listening(emulated(desk, page, own[part][page.account])))
        desk.variables[f"SCANBIND_{part.upper()}__{page.account.upper()}__API_BASE"] = wechat
        await stack.enter_async_context(ended(await desk.start("scanbind serve --config my.yaml")))
        await desk.wait_for(f"{desk.service}/readyz")
        if part == "accounts":
            await verify_url(desk, page.account, own[part][page.account]["token"])
        found = (await desk.run(f"{desk.guide.take('sh')} || true")).splitlines()
    told = [line for line in found if f" {part}.{page.account}" in line.partition(": ")[0]]
    assert told == desk.guide.take("text").splitlines()
    # no service answers at the address on the page
    [failed] = [line for line in found if line.startswith("failed")]
    assert failed.startswith("failed   server.public_url: no scanbind answers at https://login.example: ")


async def verify_url(desk: Desk, account: str, token: str) -> None:
    """Call the service as WeChat does when the operator enters its URL in the console."""
    query = {"timestamp": str(int(time.time())), "nonce": "1514711492", "echostr": "4375120948345356249"}
    query |= {"signature": sign(token, query["timestamp"], query["nonce"])}
    async with desk.http.get(f"{desk.service}/wechat/{account}", params=query) as answer:
        assert await answer.text() == query["echostr"]


def emulated(desk: Desk, page: Page, settings: dict[str, Any]) -> web.Application:
    """Return a WeChat whose account has the credentials on the page; check the addresses that it is to call."""
    ones = kinds.default_emulated(f"{desk.service}/wechat/main").of(page.kind)
    called = [account.callback_url for account in ones.accounts] + [program.api for program in ones.mini_programs]
    named = re.findall(r"https://login\.example(/[\w/]+)", desk.guide.page.read_text("utf-8"))
    assert named == [urlsplit(url).path for url in called]
    known = {name: value for name, value in settings.items() if name in CREDENTIALS}
    return make_app(
        *(tuple(replace(one, **known) for one in part) for part in ones), public_url="http://weixin.qq.com"
    )
