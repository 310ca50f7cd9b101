"""Checks whether people can find the accounts to whose chats they send passcodes."""

from collections.abc import AsyncIterator

from models.method import Method
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.doctor.made_up_code import UNTESTED


async def check_passcodes(settings: Settings) -> AsyncIterator[Finding]:
    taking = [client for client in settings.clients.values() if Method.PASSCODE in client.methods]
    for name in dict.fromkeys(account for client in taking for account in client.accounts):
        subject, account = f"accounts.{name}", settings.accounts[name]
        if not account.name:
            said = f'pages tell people to send passcodes to "{name}", which is not its name in WeChat'
            yield Finding(None, subject, said, f"set {subject}.name")
        if account.picture is None:
            said = "pages show no QR code by which people find it, to send passcodes"
            yield Finding(None, subject, said, f"set {subject}.picture to its 公众号二维码, from its console")
        passed_on = f"{UNTESTED} WeChat passes the texts of its chat on"
        yield Finding(True, subject, passed_on, "enable 服务器配置 in its console", untested=True)
