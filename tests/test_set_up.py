"""Runs every block of docs/set-up.md, in both languages.

Red when a flag on the page is misspelt, when other files are written than it says, when the service reads other
secrets than its examples for Docker, systemd and Kubernetes give, and when two lines of a file are not two values.
"""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

import pytest
import yaml
from desk import Desk, at_desk

from service.config.settings import Settings, load
from service.setup.kinds import KINDS
from service.setup.questions import QUESTIONS, asked

DOCS: Final = Path(__file__).parent.parent / "docs"
KEY: Final = "k" * 40


@pytest.mark.parametrize("language", ["", ".zh"], ids=["en", "zh"])
async def test_the_page_works_from_top_to_bottom(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_desk(tmp_path, DOCS / f"set-up{language}.md") as desk:
        desk.guide.elsewhere.clear()  # the page starts nothing, and the settings are compared
        desk.guide.__post_init__()
        monkeypatch.chdir(tmp_path)
        assert "https://login.example/wechat/main" in await desk.run(desk.guide.take("sh"))
        assert (await desk.run(desk.guide.take("sh"))).strip() == desk.guide.take("text")
        assert await desk.run(desk.guide.take("sh")) == "configuration is good\n"
        written = load(Path("config.yaml"), {})
        compose, unit, pod = desk.guide.take("yaml"), desk.guide.take("ini"), desk.guide.take("yaml")
        Path("secrets/secret_key").write_text(f"{KEY}\n")
        Path("secrets/accounts.main.secret").write_text("another secret of the account\n")
        for settings in (by_compose(compose), by_systemd(unit), by_kubernetes(pod)):
            assert settings.secret_key[0].get_secret_value() == KEY
            assert settings.accounts["main"].secret.get_secret_value() == "another secret of the account"
        await change_a_token(desk, written)
        assert desk.guide.left == []


async def change_a_token(desk: Desk, before: Settings) -> None:
    assert "configuration is good" in await desk.run(desk.guide.take("sh"))
    [old] = before.accounts["main"].token
    after = await asyncio.to_thread(load, Path("config.yaml"), {})
    assert [token.get_secret_value() for token in after.accounts["main"].token] == [
        "newtokenofyourchoice",
        old.get_secret_value(),
    ]


def by_compose(text: str) -> Settings:
    """Mount the files that the example names, elsewhere than at /run/secrets."""
    project = yaml.safe_load(text)
    service = project["services"]["scanbind"]
    for name in service["secrets"]:
        mount("compose", name, Path(project["secrets"][name]["file"]))
    return load(Path("config.yaml"), moved(service["environment"], "/run/secrets", "compose"))


def by_systemd(text: str) -> Settings:
    """Read each line as systemd does: `LoadCredential=NAME:FILE`, and %d for the folder of the credentials."""
    lines = [line.partition("=")[::2] for line in text.splitlines()[1:]]
    for name, _, path in (value.partition(":") for key, value in lines if key == "LoadCredential"):
        mount("credentials", name, Path(os.path.relpath(path, "/etc/scanbind")))
    variables = dict(value.partition("=")[::2] for key, value in lines if key == "Environment")
    return load(Path("config.yaml"), moved(variables, "%d", "credentials"))


def by_kubernetes(text: str) -> Settings:
    """Mount the folder `secrets`, of which the page makes the Secret."""
    spec = yaml.safe_load(text)["spec"]
    [container], [volume] = spec["containers"], spec["volumes"]
    [mounted] = container["volumeMounts"]
    assert mounted["name"] == volume["name"]
    for path in Path("secrets").iterdir():
        mount("pod", path.name, path)
    variables = {one["name"]: one["value"] for one in container["env"]}
    return load(Path("config.yaml"), moved(variables, mounted["mountPath"], "pod"))


def mount(folder: str, name: str, file: Path) -> None:
    Path(folder).mkdir(exist_ok=True)
    shutil.copy(file, Path(folder) / name)


def moved(variables: dict[str, str], mount_path: str, folder: str) -> dict[str, str]:
    assert all(value.startswith(f"{mount_path}/") for value in variables.values())
    return {name: value.replace(mount_path, folder, 1) for name, value in variables.items()}


@pytest.mark.parametrize("language", ["", ".zh"], ids=["en", "zh"])
def test_the_table_names_each_kind_and_the_flags_that_it_needs(language: str) -> None:
    text = (DOCS / f"set-up{language}.md").read_text("utf-8")
    rows = {
        cells[1].strip(" `"): {flag.strip() for flag in cells[3].replace("`", "").replace("、", ",").split(",")}
        for line in text.splitlines()
        if line.startswith("| `") and len(cells := line.split("|")) == 5
    }
    rows.pop("--kind")
    common = {QUESTIONS["public_url"].flag, QUESTIONS["client_name"].flag}
    assert rows == {kind: {one.flag for one in asked(kind) if one.default is None} - common for kind in KINDS}
