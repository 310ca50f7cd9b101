"""Red when an account or app of the configuration gets no client, or one of another kind."""

from config_files import tree
from redis.asyncio import Redis

from service.config.settings import validate
from service.wechat.clients import open_clients

APPS = {
    "site": {"kind": "website", "appid": "wx00000000000000aa", "secret": "s"},
    "mini": {"kind": "miniprogram", "appid": "wx00000000000000bb", "secret": "s", "page": "pages/scan/index"},
    "corp": {"kind": "wecom", "corpid": "ww00000000000000cc", "agentid": 1, "secret": "s"},
}


async def test_each_account_and_app_has_the_clients_of_its_kind() -> None:
    settings = validate(tree(apps=APPS, accounts__main__oauth="base"))
    async with Redis() as redis, open_clients(settings, redis=redis) as clients:
        assert clients.apis.keys() == settings.accounts.keys()
        assert clients.web.keys() == {"main", "site"}
        assert (clients.mini_programs.keys(), clients.wecom.keys()) == ({"mini"}, {"corp"})
