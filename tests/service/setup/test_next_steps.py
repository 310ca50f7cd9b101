"""What is printed after a configuration was written: exact commands, and the values for WeChat's console.

Red when a value for the console is missing, and when a command names another file than the one that was written.

Covers: service.setup.comments.
"""

from pathlib import Path

import pytest
from setting_up import answers

from models.language import Lang
from service.setup.drafting import draft
from service.setup.kinds import KINDS
from service.setup.next_steps import next_steps
from service.setup.rendering import files


def printed(kind: str, output: str = "config.yaml", lang: Lang = Lang.EN, **changes: str) -> str:
    made = draft(answers(kind, **changes))
    return next_steps(made, files(made, Path(output), lang), Path(output), lang)


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("test", ["接口配置信息", "URL: https://login.example/wechat/test"]),
        ("service", ["https://login.example/wechat/main", "安全模式", "IP白名单"]),
        ("personal", ["https://login.example/wechat/personal", "安全模式"]),
        ("website", ["授权回调域: login.example"]),
        ("wecom", ["verify_files", "可信域名 (网页授权及JS-SDK): login.example", "企业可信IP"]),
        ("miniprogram", ["request 合法域名: https://login.example", "https://login.example/v1/miniprogram/mini"]),
    ],
    ids=list(KINDS),
)
def test_the_values_for_wechats_console_are_printed(kind: str, values: list[str], lang: Lang) -> None:
    text = printed(kind, lang=lang)
    assert [value for value in values if value not in text] == []
    assert "{" not in text


def test_generated_tokens_and_keys_are_printed_as_they_are_written() -> None:
    made = draft(answers("service"))
    written = files(made, Path("config.yaml"), Lang.EN)
    text = next_steps(made, written, Path("config.yaml"), Lang.EN)
    for name, label in (("token", "Token (令牌)"), ("aes_key", "EncodingAESKey")):
        assert f"{label}: {written[Path(f'secrets/accounts.main.{name}')].strip()}\n" in text


def commands(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("scanbind ")]


def test_commands_name_the_file_and_migrate_where_it_is_needed() -> None:
    assert commands(printed("test")) == ["scanbind check-config", "scanbind serve", "scanbind doctor"]
    url = "postgresql://scanbind:password@db.example/scanbind"
    assert commands(printed("test", "my conf/a.yaml", database_url=url)) == [
        "scanbind check-config --config 'my conf/a.yaml'",
        "scanbind migrate --config 'my conf/a.yaml'",
        "scanbind serve --config 'my conf/a.yaml'",
        "scanbind doctor --config 'my conf/a.yaml'",
    ]


def test_no_secret_but_the_clients_and_the_consoles_is_printed() -> None:
    url = "postgresql://scanbind:Xk9Vw3Jq8Zp5@db.example/scanbind"
    text = printed("service", secret="Jq8Zp5Xk9Vw3", database_url=url)
    assert "Xk9Vw3Jq8Zp5" not in text
    assert "Jq8Zp5Xk9Vw3" not in text


def test_the_address_of_a_console_has_no_port_where_it_takes_a_host() -> None:
    text = printed("website", public_url="https://[2001:db8::1]:8443")
    assert "授权回调域: 2001:db8::1\n" in text
