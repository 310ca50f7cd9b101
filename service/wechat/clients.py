"""The clients of WeChat's APIs, for all accounts and apps of the configuration."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis, RedisCluster

from service.config.settings import Settings
from service.wechat import build
from service.wechat.api import WeChatApi, open_apis
from service.wechat.mini_program import MiniProgramApi, open_mini_programs
from service.wechat.picture_download import PictureDownload, open_picture_download
from service.wechat.push_targets import PushTargets, open_push_targets
from service.wechat.web_authorization import WebAuthorization, open_web_authorizations
from service.wechat.wecom import WeComAuthorization, open_wecom


@dataclass(frozen=True, slots=True, kw_only=True)
class WeChatClients:
    """Each by the name of its account or app."""

    apis: Mapping[str, WeChatApi]
    web: Mapping[str, WebAuthorization]
    mini_programs: Mapping[str, MiniProgramApi]
    wecom: Mapping[str, WeComAuthorization]
    pictures: PictureDownload
    """For all of them."""
    targets: PushTargets
    """For all accounts."""


@asynccontextmanager
async def open_clients(settings: Settings, *, redis: "Redis | RedisCluster") -> AsyncIterator[WeChatClients]:
    """Open the clients of all that is configured; their connections close with the context."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        yield WeChatClients(
            apis=await enter(open_apis(build.build_api_accounts(settings), redis=redis)),
            web=await enter(open_web_authorizations(build.build_web_accounts(settings))),
            mini_programs=await enter(
                open_mini_programs(build.build_mini_program_accounts(settings), redis=redis)
            ),
            wecom=await enter(open_wecom(build.build_wecom_apps(settings), redis=redis)),
            pictures=await enter(open_picture_download()),
            targets=await enter(open_push_targets()),
        )
