"""The settings of docs/methods.md are valid together, and `scanbind doctor` says what the page shows.

Red when a setting on the page is misspelt or missing, and when the doctor prints other lines.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from guide import blocks
from harness import ACCOUNT, CORP, MINI, WEBSITE
from serving import listening

from sandbox.app import make_app
from service.config.settings import validate
from service.doctor.mini_programs import check_mini_programs
from service.doctor.web_authorization import check_web_authorization

DOCS: Final = Path(__file__).parent.parent / "docs"


def written(page: str, language: str) -> list[str]:
    return [block.text for block in blocks(DOCS / page) if block.language == language]


def together(*parts: Any) -> Any:
    """Merge mappings, the later over the earlier."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            below = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = together(merged[key], value) if below else value
    return merged


async def test_the_doctor_says_what_the_page_shows_about_its_settings() -> None:
    values = together(*map(yaml.safe_load, written("configuration.md", "yaml") + written("methods.md", "yaml")))
    main, apps = values["accounts"]["main"], values["apps"]
    site, mini, corp = apps["site"], apps["mini"], apps["corp"]
    account = replace(ACCOUNT, appid=main["appid"], secret=main["secret"], oauth=main["oauth"])
    website = replace(WEBSITE, appid=site["appid"], secret=site["secret"])
    program = replace(MINI, appid=mini["appid"], secret=mini["secret"])
    wecom = replace(CORP, corpid=corp["corpid"], agentid=corp["agentid"], secret=corp["secret"])
    app = make_app([account], [website], [program], [wecom], public_url="http://weixin.qq.com")
    async with listening(app) as wechat:
        main["api_base"] = site["api_base"] = mini["api_base"] = corp["api_base"] = wechat
        settings = validate(values)
        checks = check_web_authorization(settings), check_mini_programs(settings)
        found = [str(finding) for check in checks async for finding in check]
    [shown] = written("methods.md", "text")
    assert [line.partition("\n")[0] for line in found] == shown.splitlines()
