"""Says what to do with a new configuration: the commands, and what to enter in WeChat's console (docs/start)."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from models.language import Lang
from service.config.settings import DEFAULT_FILE
from service.config.types import EMBEDDED
from service.setup.drafting import Draft
from service.setup.kinds import KINDS

_MP: Final = "https://mp.weixin.qq.com/"


@dataclass(frozen=True, slots=True)
class _Console:
    """Where the operator enters what, as rows of a label and a value."""

    place: str
    rows: tuple[tuple[str, str], ...]


_URL: Final = "{public_url}/wechat/{name}"
_SERVER: Final = (
    ("URL (服务器地址)", _URL),
    ("Token (令牌)", "{token}"),
    ("EncodingAESKey", "{aes_key}"),
    ("消息加解密方式", "安全模式"),
)
_CONSOLES: Final[Mapping[str, _Console]] = {
    "test": _Console(
        f"{_MP}debug/cgi-bin/sandbox?t=sandbox/login, 接口配置信息", (("URL", _URL), ("Token", "{token}"))
    ),
    "service": _Console(f"{_MP}, 设置与开发 → 基本配置 → 服务器配置", (*_SERVER, ("IP白名单", "{own_address}"))),
    "personal": _Console(f"{_MP}, 设置与开发 → 基本配置 → 服务器配置", _SERVER),
    "website": _Console("https://open.weixin.qq.com/, 开发信息", (("授权回调域", "{host}"),)),
    "wecom": _Console(
        "https://work.weixin.qq.com/, 应用管理",
        (
            ("WW_verify_….txt", "{verify_file}"),
            ("可信域名 (网页授权及JS-SDK)", "{host}"),
            ("授权回调域 (企业微信授权登录)", "{host}"),
            ("企业可信IP", "{own_address}"),
        ),
    ),
    "miniprogram": _Console(
        f"{_MP}, 开发管理 → 开发设置",
        (
            ("request 合法域名", "{origin}"),
            ("IP白名单", "{own_address}"),
            ("api (config.js)", "{public_url}/v1/miniprogram/{name}"),
        ),
    ),
}
_WORDS: Final[Mapping[str, Mapping[Lang, str]]] = {
    "written": {Lang.EN: "Written, for you alone to read:", Lang.ZH: "已写入以下文件，只有你可以读取："},
    "secret": {
        Lang.EN: "Password of the site's back end, shown only now (user name {client}):",
        Lang.ZH: "网站后端的密码，只显示这一次（用户名 {client}）：",
    },
    "check": {Lang.EN: "Check the configuration:", Lang.ZH: "检查配置："},
    "migrate": {Lang.EN: "Create the tables:", Lang.ZH: "创建数据表："},
    "serve": {Lang.EN: "Start the service:", Lang.ZH: "启动服务："},
    "console": {
        Lang.EN: "While it runs, enter at WeChat ({place}):",
        Lang.ZH: "保持服务运行，在微信后台填写（{place}）：",
    },
    "doctor": {
        Lang.EN: "While it runs, check stores, addresses and the account:",
        Lang.ZH: "保持服务运行，检查存储、地址和账号：",
    },
    "verify_file": {
        Lang.EN: "first put its name and content under verify_files in the configuration: docs/start/wecom.md",
        Lang.ZH: "先把文件名和内容写到配置的 verify_files 下，见 docs/start/wecom.zh.md",
    },
    "own_address": {
        Lang.EN: "this machine's public address for its calls; `scanbind doctor` tells it if WeChat refuses it",
        Lang.ZH: "本机访问微信所用的公网地址；被微信拒绝时 `scanbind doctor` 会给出它",
    },
}


def next_steps(draft: Draft, files: Mapping[Path, str], output: Path, lang: Lang) -> str:
    """Return what is printed after *files* were written, the configuration *output* among them."""
    words = {name: told[lang] for name, told in _WORDS.items()}
    lines = [words["written"], *(f"  {file}" for file in files), ""]
    lines += [words["secret"].format(client=draft.client), f"  {draft.client_secret}"]
    for number, step in enumerate(_steps(draft, output, words), 1):
        lines += ["", f"{number}. {step[0]}", *(f"   {line}" for line in step[1:])]
    return "\n".join(lines)


def _steps(draft: Draft, output: Path, words: Mapping[str, str]) -> Iterator[list[str]]:
    option = "" if output == DEFAULT_FILE else f" --config {shlex.quote(str(output))}"
    migrate = [] if draft.values["database"]["url"] == EMBEDDED else ["migrate"]
    for name in ("check", *migrate, "serve"):
        yield [words[name], f"scanbind {'check-config' if name == 'check' else name}{option}"]
    console, values = _CONSOLES[draft.kind], _values(draft, words)
    rows = [f"{label}: {value.format(**values)}" for label, value in console.rows]
    yield [words["console"].format(place=console.place), *rows]
    yield [words["doctor"], f"scanbind doctor{option}"]


def _values(draft: Draft, words: Mapping[str, str]) -> dict[str, str]:
    public_url = draft.values["server"]["public_url"].rstrip("/")
    url = urlsplit(public_url)
    own = {name: draft.account.get(name, "") for name in ("token", "aes_key")}
    return {
        **own,
        "public_url": public_url,
        "name": KINDS[draft.kind].name,
        "host": url.hostname or "",
        "origin": f"{url.scheme}://{url.netloc}",
        **{name: words[name] for name in ("verify_file", "own_address")},
    }
