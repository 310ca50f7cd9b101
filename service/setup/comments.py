"""The comments of the configuration that `scanbind init` writes, by path, where `*` is any name."""

from collections.abc import Mapping
from typing import Final

from models.language import Lang

HEAD: Final = {
    Lang.EN: (
        "scanbind's configuration, written by `scanbind init`. docs/configuration.md describes all settings.",
        "`scanbind check-config` lists every fault; `scanbind doctor` also checks stores, addresses and accounts.",
        "A setting that ends in _file names a file with the value. Such a path, as that of data_dir, is relative",
        "to the folder in which scanbind is started.",
    ),
    Lang.ZH: (
        "scanbind 的配置文件，由 `scanbind init` 生成。所有设置见 docs/configuration.md。",
        "`scanbind check-config` 列出全部错误；`scanbind doctor` 还会检查存储、地址和账号。",
        "以 _file 结尾的设置指向保存该值的文件。这些路径和 data_dir 一样，相对于启动 scanbind 时所在的目录。",
    ),
}
COMMENTS: Final[Mapping[str, Mapping[Lang, str]]] = {
    "server.public_url": {
        Lang.EN: "how browsers, sites and WeChat reach the service",
        Lang.ZH: "浏览器、网站和微信访问本服务的地址",
    },
    "server.host": {
        Lang.EN: 'the address to listen on: "0.0.0.0" in a container',
        Lang.ZH: '监听的地址；在容器中用 "0.0.0.0"',
    },
    "server.trusted_proxies": {
        Lang.EN: 'networks of the proxies in front, such as ["127.0.0.1/32"]: docs/operations.md, Behind a proxy',
        Lang.ZH: '前面的反向代理所在的网络，例如 ["127.0.0.1/32"]，见 docs/operations.md 的 Behind a proxy',
    },
    "data_dir": {
        Lang.EN: "folder of the embedded stores and of a generated secret_key; one process a folder",
        Lang.ZH: "内置存储和自动生成的 secret_key 所在的目录；一个目录只供一个进程使用",
    },
    "database": {
        Lang.EN: "bindings and all else that is kept: embedded (SQLite in data_dir), or a URL",
        Lang.ZH: "绑定等需要长期保存的数据：embedded（data_dir 中的 SQLite）或地址",
    },
    "redis": {
        Lang.EN: "tickets in progress: embedded (a Valkey that the service starts), or a URL",
        Lang.ZH: "进行中的票据：embedded（由本服务启动的 Valkey）或地址",
    },
    "secret_key": {
        Lang.EN: "signs all tickets; the same for all processes. While it changes one key per line, newest first",
        Lang.ZH: "用于签名所有票据，各进程必须相同；轮换期间每行一个，新的在前",
    },
    "accounts": {
        Lang.EN: "Official Accounts. WeChat calls {public_url}/wechat/NAME",
        Lang.ZH: "公众号。微信访问 {public_url}/wechat/名称",
    },
    "accounts.*.api": {
        Lang.EN: "without API permissions: WeChat is never called for it",
        Lang.ZH: "没有接口权限：不会为它调用微信接口",
    },
    "accounts.*.token": {
        Lang.EN: "as in WeChat's console; while it changes one per line, newest first",
        Lang.ZH: "与微信后台一致；更换期间每行一个，新的在前",
    },
    "accounts.*.aes_key": {Lang.EN: "EncodingAESKey, in the same way", Lang.ZH: "EncodingAESKey，写法相同"},
    "accounts.*.name": {
        Lang.EN: "how people find it in WeChat; `picture` shows its QR code beside",
        Lang.ZH: "用户在微信里搜索它所用的名称；用 `picture` 可同时显示它的二维码",
    },
    "apps": {Lang.EN: "other WeChat applications", Lang.ZH: "其他微信应用"},
    "apps.*.page": {
        Lang.EN: "the page that its codes open; with env_version: trial, that of the trial version",
        Lang.ZH: "小程序码打开的页面；设置 env_version: trial 时打开体验版",
    },
    "apps.*.agentid": {
        Lang.EN: "of the application; with outsiders: allow, people who are no members may log in",
        Lang.ZH: "应用的 AgentId；设置 outsiders: allow 时，非成员也可以登录",
    },
    "clients": {Lang.EN: "the sites that use the service", Lang.ZH: "使用本服务的网站"},
    "clients.*.name": {
        Lang.EN: "as people see it in WeChat; in two languages: {zh: ..., en: ...}",
        Lang.ZH: "用户在微信里看到的名称；两种语言可写成 {zh: ..., en: ...}",
    },
    "clients.*.secret_hash": {
        Lang.EN: "of the back end's password; `scanbind keys new client` prints a new one",
        Lang.ZH: "网站后端密码的散列值；`scanbind keys new client` 生成新的密码",
    },
    "clients.*.methods": {
        Lang.EN: "ways to sign in, in the order in which they are offered: docs/methods.md",
        Lang.ZH: "登录方式，按提供的先后排列，见 docs/methods.md",
    },
    "clients.*.origins": {Lang.EN: "pages that may start a login", Lang.ZH: "可以发起登录的页面"},
    "clients.*.return_urls": {
        Lang.EN: "where browsers may return to, compared letter by letter",
        Lang.ZH: "浏览器可以返回的地址，逐字符比较",
    },
}


def comment(steps: tuple[str, ...], lang: Lang) -> str:
    """Return the comment on the setting at *steps*, or ''."""
    place = (steps[0], "*", *steps[2:]) if len(steps) > 2 else steps  # only names are between a part and a setting
    return COMMENTS.get(".".join(place), {}).get(lang, "")
