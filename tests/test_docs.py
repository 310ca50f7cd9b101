"""The documents match the repository: commands, links, files, endpoints, decisions, settings."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from handlers.http.problems import INTERNAL, PROBLEMS
from handlers.routes import ROUTES
from service.cli.main import _COMMANDS
from service.config.accounts import Account
from service.config.apps import KINDS
from service.config.clients import Client
from service.config.settings import Settings, load, validate

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OURS = [page for page in PAGES if page.name != "wechat-protocol.md"]  # that page names WeChat's addresses
CONFIGURATION = ROOT / "docs" / "configuration.md"
CONTRACT = ROOT / "docs" / "contract.md"
FOLDERS = (
    "models",
    "service",
    "handlers",
    "sandbox",
    "demo",
    "web",
    "migrations",
    "tests",
    "bench",
    "docs",
    "deploy",
)
SOURCES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^ *```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def _prose(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@each_page
def test_every_make_target_named_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^\s*|`)make ([\w-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= targets


@each_page
def test_every_command_named_is_one(page: Path) -> None:
    named = re.findall(r"(?:^\s*|`)scanbind ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= set(_COMMANDS)


def test_the_readme_names_the_two_commands_and_every_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"make demo", "make test"} <= {block.strip() for block in _blocks(ROOT / "README.md", "sh")}
    assert [name for name in _COMMANDS if name != "demo" and f"scanbind {name}" not in text] == []


@each_page
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", _prose(page))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


@each_page
def test_every_link_to_a_section_leads_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", _prose(page))
    assert [
        (file, anchor) for file, anchor in links if anchor not in _anchors(page.parent / file if file else page)
    ] == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_file_named_exists(page: Path) -> None:
    quoted = re.findall(r"`([\w./-]+)`", _prose(page))
    paths = [text for text in quoted if text.split("/")[0] in FOLDERS and "/" in text]
    files = [text for text in quoted if re.fullmatch(r"[\w-]+\.(?:md|toml|lock)", text)]
    assert [path for path in paths + files if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", OURS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_address_named_is_an_endpoint(page: Path) -> None:
    endpoints = {_plain(address) for route in ROUTES for address in _addresses(route.path)}
    named = re.findall(
        r"(?:GET|POST|DELETE) (/[\w./{}-]*)|`(/(?:livez|readyz|metrics|openapi)[\w.]*)`", _prose(page)
    )
    assert [path for pair in named for path in pair if path and _plain(path) not in endpoints] == []


def _addresses(path: str) -> list[str]:
    """Return the addresses that a route stands for: one for each word of a parameter such as `{script:a|b}`."""
    choice = re.search(r"{\w+:([\w-]+(?:\|[\w-]+)+)}", path)
    return [path.replace(choice[0], word) for word in choice[1].split("|")] if choice else [path]


def _plain(path: str) -> str:
    return re.sub(r"{[^}]*}", "{}", path)


def test_the_contract_names_every_endpoint() -> None:
    text = CONTRACT.read_text(encoding="utf-8")
    named = {(method, _plain(path)) for method, path in re.findall(r"`(GET|POST|DELETE) (/[\w./{}-]*)", text)}
    endpoints = {
        (route.method, _plain(address))
        for route in ROUTES
        if route.method != "OPTIONS"
        for address in _addresses(route.path)
    }
    assert named == endpoints


def test_the_contract_names_every_problem_and_its_status() -> None:
    errors = CONTRACT.read_text(encoding="utf-8").partition("\n## 3. ")[2].partition("\n## 4. ")[0]
    rows = {
        (slug, int(status)) for slug, status in re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", errors, re.MULTILINE)
    }
    assert rows == {(problem.slug, problem.status) for problem in (*PROBLEMS.values(), INTERNAL)}


def test_the_configuration_of_the_contract_names_every_key_with_its_default() -> None:
    [block] = _blocks(CONTRACT, "yaml")
    written = yaml.safe_load(block)
    shop = written["clients"]["shop"]
    main = written["accounts"]["main"]
    targets = {"forward": [_only(target, "url", "token", "aes_key") for target in main["forward"]]}
    hooks = {"webhooks": [_only(hook, "url", "secret") for hook in shop["webhooks"]]}
    named = {
        "accounts": {"main": _only(main, "appid", "secret", "token", "aes_key") | targets},
        "apps": {
            "site": _only(written["apps"]["site"], "kind", "appid", "secret"),
            "mini": _only(written["apps"]["mini"], "kind", "appid", "secret", "page"),
            "corp": _only(written["apps"]["corp"], "kind", "corpid", "agentid", "secret"),
        },
        "clients": {"shop": _only(shop, "name", "secret", "accounts", "origins") | hooks},
        "operator": {"webhook": _only(written["operator"]["webhook"], "url", "secret")},
    }
    assert [path for path in _keys(Settings, "") if not _is_set(written, path)] == []
    assert validate(written) == validate(named)


def _only(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: values[key] for key in keys}


def _is_set(tree: Any, path: str) -> bool:
    above, named, key = path.partition(".NAME.")
    if named:
        return any(_is_set(one, key) for one in tree[above].values())
    for step in path.split("."):
        if isinstance(tree, list):
            [tree] = tree
        if step not in tree:
            return False
        tree = tree[step]
    return True


def test_the_changelog_begins_with_unreleased_and_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}", headings[1])


def test_every_decision_cited_in_code_is_written_down() -> None:
    written = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")}
    cited = {
        (path, number) for path in SOURCES for number in re.findall(r"docs/adr/(\d{4})", path.read_text("utf-8"))
    }
    assert cited
    assert [(path, number) for path, number in cited if number not in written] == []


def test_every_decision_has_the_same_three_parts_and_its_own_number() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]}: ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]


def test_the_example_configuration_is_valid(tmp_path: Path) -> None:
    [example] = _blocks(CONFIGURATION, "yaml")
    file = tmp_path / "config.yaml"
    file.write_text(example, encoding="utf-8")
    settings = load(file, _variables())
    assert settings.server.port == 9000
    assert settings.clients["shop"].origins == ("https://shop.example", "https://www.shop.example")


def _variables() -> dict[str, str]:
    [lines] = [block for block in _blocks(CONFIGURATION, "sh") if "SCANBIND_" in block]
    return {name: value for name, _, value in (line.partition("=") for line in lines.splitlines())}


def test_the_stores_of_the_readme_can_be_configured(tmp_path: Path) -> None:
    [stores] = _blocks(ROOT / "README.md", "yaml")
    file = tmp_path / "config.yaml"
    file.write_text(stores, encoding="utf-8")
    assert load(file, {}).database.url.startswith("postgresql+asyncpg://")
    assert yaml.safe_load(stores).keys() == {"database", "redis", "secret_key"}


def test_every_setting_is_described_and_every_described_one_exists() -> None:
    described = set(
        re.findall(r"^\| `([a-z_.]+(?:\.NAME)?[a-zA-Z_.]*)` \|", CONFIGURATION.read_text("utf-8"), re.MULTILINE)
    )
    assert described == set(_keys(Settings, ""))


def _keys(part: type[BaseModel], above: str) -> Iterator[str]:
    parts: dict[str, Any] = {"accounts": [Account], "apps": KINDS.values(), "clients": [Client]}
    for name, field in part.model_fields.items():
        # of a list of sections, and of an optional one, the section
        kind = next((one for one in get_args(field.annotation) if one not in (..., NoneType)), field.annotation)
        if name in parts and part is Settings:
            for one in parts[name]:
                yield from _keys(one, f"{name}.NAME.")
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _keys(kind, f"{above}{name}.")
        else:
            yield above + (field.alias or name)
