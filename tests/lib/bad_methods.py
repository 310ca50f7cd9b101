"""Faulty settings of methods, apps and verification files, each with the lines that `check-config` prints."""

from bad_configurations import ADDRESS, APPID, Bad
from config_files import ACCOUNT, CLIENT

KIND = "must be website, miniprogram or wecom"
NAME = "must be a name of 1 to 64 of a-z 0-9 _, without a double underscore"
HTTPS = "must be https: only an address of this machine may be http"
RETURN_URL = (
    "must be an address such as https://shop.example/login/done, without user, password and fragment, "
    "of 2000 characters at most"
)
PAGE = "must be the path of a page such as pages/scan/index, without a slash at either end and without parameters"
FILE_NAME = "must be the name of a file, 1 to 64 of A-Z a-z 0-9 _ and then .txt"
NO_CORP = "wecom needs an app of kind wecom"
NO_MINI = "miniprogram needs an app of kind miniprogram"
WEBSITE = {"kind": "website", "appid": "wx00000000000000aa", "secret": "site-secret"}
MINI = {**WEBSITE, "kind": "miniprogram", "appid": "wx00000000000000bb", "page": "pages/scan/index"}
WECOM = {"kind": "wecom", "corpid": "ww00000000000000cc", "agentid": 1000002, "secret": "corp-secret"}

ACCOUNTS = {
    "no secret": Bad(
        {"accounts__main": {**ACCOUNT, "secret": None}},
        ("accounts.main.secret: is missing",),
    ),
    "an empty secret": Bad({"accounts__main__secret": ""}, ("accounts.main.secret: must not be empty",)),
    "no word for api": Bad({"accounts__main__api": "perhaps"}, ("accounts.main.api: must be true or false",)),
    "web authorization without permissions": Bad(
        {"accounts__main__api": False, "accounts__main__oauth": "base", "clients__shop__accounts": ["other"]},
        (
            "accounts.main.oauth: must be none or left out with api false, which stands for no web authorization",
            "clients.shop.accounts: must be names under accounts; missing there: other",
        ),
    ),
    "a scope of WeChat's": Bad(
        {"accounts__main__oauth": "snsapi_base"}, ("accounts.main.oauth: must be none, base or userinfo",)
    ),
    "pages over http": Bad(
        {"accounts__main__open_base": "http://open.example"}, (f"accounts.main.open_base: {HTTPS}",)
    ),
    "a name of an Open Platform account": Bad(
        {"accounts__main__open_platform": "Acme Xk9Vw3Jq"}, (f"accounts.main.open_platform: {NAME}",)
    ),
    "a picture that does not exist": Bad(
        {"accounts__main__picture": "/Xk9Vw3Jq8Zp5"},
        ("accounts.main.picture: cannot be read: No such file or directory",),
    ),
    "a picture that is a folder": Bad({"accounts__main__picture": "/"}, ("accounts.main.picture: is not a file",)),
    "a picture that is text": Bad(
        {"accounts__main__picture": __file__}, ("accounts.main.picture: must be a PNG or JPEG picture",)
    ),
    "a truth for a picture": Bad(
        {"accounts__main__picture": True}, ("accounts.main.picture: must be a string; quote it",)
    ),
}

APPS = {
    "no kind": Bad({"apps": {"site": {"appid": WEBSITE["appid"]}}}, (f"apps.site.kind: {KIND}",)),
    "an app of nothing": Bad({"apps": {"site": None}}, (f"apps.site.kind: {KIND}",)),
    "another kind": Bad({"apps": {"site": {**WEBSITE, "kind": "Xk9Vw3Jq8Zp5"}}}, (f"apps.site.kind: {KIND}",)),
    "a list of kinds": Bad({"apps": {"site": {**WEBSITE, "kind": ["website"]}}}, (f"apps.site.kind: {KIND}",)),
    "a word for an app": Bad({"apps": {"site": "Xk9Vw3Jq8Zp5"}}, ("apps.site: must be a mapping",)),
    "a list of apps": Bad({"apps": [WEBSITE]}, ("apps: must be a mapping",)),
    "an app's name in capitals": Bad({"apps": {"Site": WEBSITE}}, (f"apps.Site: {NAME}",)),
    "keys of another kind": Bad(
        {"apps": {"site": {**WEBSITE, "corpid": "Xk9Vw3Jq8Zp5", "page": "a"}}},
        ("apps.site.corpid: is for kind wecom", "apps.site.page: is for kind miniprogram"),
    ),
    "keys of two other kinds": Bad(
        {"apps": {"corp": {**WECOM, "appid": "Xk9Vw3Jq8Zp5"}}},
        ("apps.corp.appid: is for kind website or miniprogram",),
    ),
    "a word for all apps": Bad(
        {"apps": "", "clients__shop__apps": ["site"]},
        ("apps: must be a mapping",),
    ),
    "an account's key": Bad({"apps": {"site": {**WEBSITE, "token": "t"}}}, ("apps.site.token: unknown key",)),
    "an app's key without a space": Bad(
        {"apps": {"site": {**WEBSITE, "corpid:Xk9Vw3Jq8Zp5": None}}},
        ("apps.site.corpid…: unknown key; write a colon and a space between key and value",),
    ),
    "an app's short appid": Bad(
        {"apps": {"site": {**WEBSITE, "appid": "wxXk9Vw3Jq8Zp5"}}}, (f"apps.site.appid: {APPID}",)
    ),
    "nothing but kinds": Bad(
        {"apps": {kind: {"kind": kind} for kind in ("miniprogram", "website", "wecom")}},
        (
            "apps.miniprogram.secret: is missing",
            "apps.miniprogram.appid: is missing",
            "apps.miniprogram.page: is missing",
            "apps.website.secret: is missing",
            "apps.website.appid: is missing",
            "apps.wecom.secret: is missing",
            "apps.wecom.corpid: is missing",
            "apps.wecom.agentid: is missing",
        ),
    ),
    "a page as a link": Bad({"apps": {"mini": {**MINI, "page": "/pages/scan"}}}, (f"apps.mini.page: {PAGE}",)),
    "a page with parameters": Bad({"apps": {"mini": {**MINI, "page": "pages?a=1"}}}, (f"apps.mini.page: {PAGE}",)),
    "another environment": Bad(
        {"apps": {"mini": {**MINI, "env_version": "beta"}}},
        ("apps.mini.env_version: must be release, trial or develop",),
    ),
    "an enterprise's appid": Bad(
        {"apps": {"corp": {**WECOM, "corpid": "wx00000000000000cc", "agentid": "first", "outsiders": "greet"}}},
        (
            "apps.corp.corpid: must be a CorpID, ww and 16 letters or digits",
            "apps.corp.agentid: must be a whole number",
            "apps.corp.outsiders: must be refuse or allow",
        ),
    ),
    "an app's relay over http": Bad(
        {"apps": {"site": {**WEBSITE, "api_base": "http://10.0.0.1", "open_base": "open.weixin.qq.com"}}},
        (f"apps.site.api_base: {HTTPS}", f"apps.site.open_base: {ADDRESS}"),
    ),
    "an app with an account's name": Bad(
        {"apps": {"main": WEBSITE}}, ("apps.main: is a name under accounts as well: choose another",)
    ),
    "an app with an account's appid": Bad(
        {"apps": {"site": {**WEBSITE, "appid": ACCOUNT["appid"]}}},
        ("apps.site.appid: is the appid of accounts.main as well",),
    ),
    "one appid of two apps": Bad(
        {"apps": {"site": WEBSITE, "mini": {**MINI, "appid": WEBSITE["appid"]}}},
        ("apps.site.appid: is the appid of apps.mini as well",),
    ),
    "an app by variables alone": Bad(
        {},
        (
            f"apps.site.open_base: {HTTPS} (SCANBIND_APPS__SITE__OPEN_BASE)",
            "apps.site.appid: is missing",
        ),
        {
            "SCANBIND_APPS__SITE__KIND": "website",
            "SCANBIND_APPS__SITE__SECRET": "Xk9Vw3Jq8Zp5",
            "SCANBIND_APPS__SITE__OPEN_BASE": "http://h",
        },
    ),
}

CLIENTS = {
    "neither account nor app": Bad(
        {"clients__shop__accounts": []}, ("clients.shop.accounts: must name at least one account",)
    ),
    "no word of accounts": Bad(
        {"clients": {"shop": {name: value for name, value in CLIENT.items() if name != "accounts"}}},
        ("clients.shop.accounts: must name at least one account",),
    ),
    "an app that is not configured": Bad(
        {"clients__shop__apps": ["site"]}, ("clients.shop.apps: must be names under apps; missing there: site",)
    ),
    "an account among the apps": Bad(
        {"clients__shop__apps": ["main"]}, ("clients.shop.apps: must be names under apps; missing there: main",)
    ),
    "one app twice": Bad(
        {"apps": {"site": WEBSITE}, "clients__shop__apps": ["site", "site"]},
        ("clients.shop.apps: must not contain duplicates",),
    ),
    "no method": Bad({"clients__shop__methods": []}, ("clients.shop.methods: must name at least one method",)),
    "one method twice": Bad(
        {"clients__shop__methods": ["scan", "scan"]}, ("clients.shop.methods: must not contain duplicates",)
    ),
    "an unknown method": Bad(
        {"clients__shop__methods": ["scan", "qr"]},
        ("clients.shop.methods.1: must be scan, link, miniprogram, passcode, website, h5 or wecom",),
    ),
    "methods without their apps": Bad(
        {
            "clients__shop__methods": ["scan", "wecom", "miniprogram"],
            "clients__shop__return_urls": ["https://a.cn/"],
        },
        (f"clients.shop.methods: {NO_CORP}; {NO_MINI}",),
    ),
    "such a method by a variable": Bad(
        {},
        (f"clients.shop.methods: {NO_MINI} (SCANBIND_CLIENTS__SHOP__METHODS)",),
        {"SCANBIND_CLIENTS__SHOP__METHODS": "scan, miniprogram"},
    ),
    "a scan without permissions": Bad(
        {"accounts__main__api": False}, ("clients.shop.methods: scan needs an account with api true",)
    ),
    "a scan by an app": Bad(
        {"apps": {"site": WEBSITE}, "clients__shop__accounts": [], "clients__shop__apps": ["site"]},
        ("clients.shop.methods: scan needs an account with api true",),
    ),
    "a passcode by an app": Bad(
        {
            "apps": {"site": WEBSITE},
            "clients__shop__accounts": [],
            "clients__shop__apps": ["site"],
            "clients__shop__methods": ["passcode"],
        },
        ("clients.shop.methods: passcode needs an account",),
    ),
    "a name of an account with spaces around": Bad(
        {"accounts__main__name": {"zh": " 公众号"}},
        (
            (
                "accounts.main.name.zh: must be 1 to 64 characters without control characters, "
                "not beginning or ending with a space"
            ),
        ),
    ),
    "all faults of a client": Bad(
        {
            "accounts__main__api": False,
            "clients__shop__secret": "Xk9Vw3Jq8Zp5",
            "clients__shop__return_urls": ["http://shop.example/", "https://shop.example/#Xk9V"],
            "clients__shop__profile": "perhaps",
            "clients__shop__methods": ["miniprogram"],
        },
        (
            "clients.shop.secret: must be 16 characters or more",
            f"clients.shop.return_urls.0: {HTTPS}",
            f"clients.shop.return_urls.1: {RETURN_URL}",
            "clients.shop.profile: must be true or false",
        ),
    ),
    "an address to return to twice": Bad(
        {"clients__shop__return_urls": ["https://shop.example/"] * 2},
        ("clients.shop.return_urls: must not contain duplicates",),
    ),
    "many addresses to return to": Bad(
        {"clients__shop__return_urls": [f"https://shop.example/{number}" for number in range(33)]},
        ("clients.shop.return_urls: must not be more than 32",),
    ),
}

VERIFY_FILES = {
    "a page to verify": Bad(
        {"verify_files": {"index.html": "x", "../a.txt": "x", "a" * 65 + ".txt": "x"}},
        tuple(f"verify_files.{name}: {FILE_NAME}" for name in ("../a.txt", "a" * 65 + ".txt", "index.html")),
    ),
    "contents that WeChat never gives": Bad(
        {"verify_files": {"a.txt": "x\n", "b.txt": "", "c.txt": 5, "d.txt": "Xk9Vé", "e.txt": "Xk9V" * 33}},
        (
            "verify_files.a.txt: ends in a newline: remove it",
            "verify_files.b.txt: must not be empty",
            "verify_files.c.txt: must be a string; quote it",
            "verify_files.d.txt: must be 1 to 128 printable ASCII characters",
            "verify_files.e.txt: must be 1 to 128 printable ASCII characters",
        ),
    ),
    "a verification file by name": Bad(
        {},
        (f"verify_files.mp: {FILE_NAME} (SCANBIND_VERIFY_FILES__MP)",),
        {"SCANBIND_VERIFY_FILES__MP": "Xk9Vw3Jq8Zp5"},
    ),
}

METHODS = ACCOUNTS | APPS | CLIENTS | VERIFY_FILES
