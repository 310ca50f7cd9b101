"""Answers to the questions of `scanbind init`."""

ANSWERS = {
    "public_url": "https://login.example",
    "appid": "wx0123456789abcdef",
    "corpid": "ww0123456789abcdef",
    "agentid": "7",
    "secret": "s",
    "page": "pages/scan/index",
    "account_name": "",
    "client": "shop",
    "client_name": "Shop",
    "origins": ("https://shop.example",),
    "return_urls": ("https://shop.example/done",),
    "database_url": "embedded",
    "redis_url": "embedded",
}


def answers(kind: str, **changes: str) -> dict[str, str | tuple[str, ...]]:
    unused = "origins" if kind in ("website", "wecom") else "return_urls"
    return {"kind": kind, **{name: value for name, value in ANSWERS.items() if name != unused}, **changes}
