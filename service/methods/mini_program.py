"""Sign in by scanning a mini program's code. WeChat draws it; the mini program asks, and sends its answers to us.

Answers reach the ticket through service/methods/mini_program_scans.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from urllib.parse import quote

from models.scene import Scene, TicketHeader
from service.config.apps import MiniProgram
from service.crypto.keyring import Capability, ClientKeys
from service.methods.code_pictures import CodePictures
from service.tickets.method import Shown
from service.wechat.mini_program import MiniProgramApi


@dataclass(slots=True, kw_only=True)
class MiniProgramMethod:
    """Requests codes from WeChat, and keeps their pictures."""

    programs: Mapping[str, MiniProgram]
    apis: Mapping[str, MiniProgramApi]
    pictures: CodePictures
    needs: ClassVar[str] = "kind miniprogram"

    def can_use(self, account: str) -> bool:
        """Tell whether *account* is a mini program."""
        return account in self.programs

    async def show(self, scene: Scene, keys: ClientKeys, *, account: str, lifetime: timedelta) -> Shown:
        """Return a new code, whose scene shows nothing of the ticket's tag (wechat-protocol.md 11).

        Raises: as `SignInMethod.show`.
        """
        head, program = scene.head, self.programs[account]
        picture = await self.apis[account].make_code(
            keys.code_scene(head, account), page=program.page, env_version=program.env_version
        )
        await self.pictures.add(head.ticket, keys, picture, lifetime=lifetime)
        return self.shown(head, keys, account=account, qr_url="")

    async def keeps(self, head: TicketHeader, keys: ClientKeys) -> bool:
        """Tell whether Redis still has the code's picture."""
        return await self.pictures.of(head.ticket, keys) is not None

    def shown(
        self,
        head: TicketHeader,
        keys: ClientKeys,
        *,
        account: str,
        qr_url: str,  # noqa: ARG002 - of the interface
    ) -> Shown:
        """Return the addresses of the code's picture and of the page that it opens."""
        program, what = self.programs[account], Capability.CODE_PICTURE
        query = quote(f"scene={keys.code_scene(head, account)}", safe="")
        opens = f"appid={program.appid}&path={program.page}&query={query}&env_version={program.env_version}"
        return Shown(
            picture=f"/v1/{what}/{keys.capability(what, head.ticket)}", open_url=f"weixin://dl/business/?{opens}"
        )
