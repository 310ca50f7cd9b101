"""Gives accounts' access tokens to the sites that may have them (contract.md 9). Every use is audited."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.audit import AuditEvent
from models.errors import Forbidden, NotFound
from service.audit.log import AuditLog
from service.config.settings import Settings
from service.wechat.api import WeChatApi
from service.wechat.tokens import AccessToken


@dataclass(slots=True, kw_only=True)
class AccessTokens:
    """The tokens of the accounts, for the clients that `clients.NAME.access_token` grants them to.

    Every method raises:
        NotFound: neither an account nor an app has this name.
        Forbidden: the client was not granted the account's token.
        WeChatUnavailable, StoreUnavailable: the token cannot be had now.
    """

    settings: Settings
    apis: Mapping[str, WeChatApi]
    audit: AuditLog

    async def give(self, client: str, account: str) -> AccessToken:
        """Return the account's token, with the seconds for which it is kept."""
        token = await self._granted(client, account).access_token()
        self.audit.note(AuditEvent.TOKEN_GIVEN, client=client, account=account)
        return token

    async def report(self, client: str, account: str, failed: str) -> None:
        """Fetch a token in place of *failed*, which WeChat refused, if it is still the current one."""
        api, detail = self._granted(client, account), "fetch failed"
        try:
            detail = "fetched" if await api.report_token(failed) else "not fetched"
        finally:
            self.audit.note(AuditEvent.TOKEN_REPORTED, client=client, account=account, detail=detail)

    def _granted(self, client: str, account: str) -> WeChatApi:
        if account not in self.settings.appids:
            raise NotFound("unknown account")
        if account not in self.settings.clients[client].access_token:
            self.audit.note(AuditEvent.TOKEN_REFUSED, client=client, account=account)
            raise Forbidden("the client may not have this account's access token (clients.NAME.access_token)")
        return self.apis[account]
