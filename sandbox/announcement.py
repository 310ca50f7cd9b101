"""What a standalone sandbox prints: its address, and the settings of a service that uses its accounts. Pure."""

from sandbox.account import MiniProgram, OfficialAccount, Website
from sandbox.kinds import Emulated


def announcement(emulated: Emulated, *, address: str) -> str:
    """Return the phone's address, and `accounts` and `apps` of a service's config.yaml.

    Accounts are named as at the end of their callback addresses, where the service expects their pushes.
    """
    accounts = [line for account in emulated.accounts for line in _account(account, address)]
    apps = _apps(emulated, address)
    lines = [f"WeChat sandbox is ready: {address}/", "", "config.yaml of the service to try:"]
    lines += ["", "accounts:", *accounts] if accounts else []
    lines += ["", "apps:", *apps] if apps else []
    return "\n".join(lines) + "\n"


def picture_path(gh_id: str) -> str:
    """Return the path of the picture of an account's own QR code."""
    return f"/r/{gh_id}.png"


def _account(account: OfficialAccount, address: str) -> list[str]:
    lines = [f"  {account.name_in_service}:  # pushes go to {account.callback_url}"]
    if account.kind == "personal":
        picture = f'    picture: ""  # the file of its QR code: {address}{picture_path(account.gh_id)}'
        named = [f"    name: {account.name}", picture]
        return [*lines, "    api: false", f"    appid: {account.appid}", *_callback(account), *named]
    test = ["    kind: test"] if account.kind == "test" else []
    return [
        *lines,
        *test,
        *_credentials(account),
        *_callback(account),
        f"    oauth: {account.oauth}",
        *_bases(address),
    ]


def _callback(account: OfficialAccount) -> list[str]:
    token = f'    token: "{account.token}"'
    if account.kind == "test":
        return [token]
    unsigned = ["    allow_unsigned_body: true"] if account.mode == "plain" else []
    return [token, f'    aes_key: "{account.aes_key}"', f"    mode: {account.mode}", *unsigned]


def _apps(emulated: Emulated, address: str) -> list[str]:
    lines: list[str] = []
    for number, website in enumerate(emulated.websites, start=1):
        name = "site" if number == 1 else f"site{number}"
        lines += [f"  {name}:", "    kind: website", *_credentials(website), *_bases(address)]
    for program in emulated.mini_programs:
        name = program.api.rpartition("/")[2]
        lines += [f"  {name}:", "    kind: miniprogram", *_credentials(program), f"    page: {program.pages[0]}"]
        lines += _bases(address)
    for number, app in enumerate(emulated.wecom_apps, start=1):
        name = "corp" if number == 1 else f"corp{number}"
        known = [f"    corpid: {app.corpid}", f"    agentid: {app.agentid}", f'    secret: "{app.secret}"']
        lines += [f"  {name}:", "    kind: wecom", *known, *_bases(address)]
    return lines


def _credentials(app: OfficialAccount | Website | MiniProgram) -> list[str]:
    joined = [f"    open_platform: {app.open_platform}"] if app.open_platform else []
    return [f"    appid: {app.appid}", f'    secret: "{app.secret}"', *joined]


def _bases(address: str) -> list[str]:
    return [f"    open_base: {address}", f"    api_base: {address}"]
