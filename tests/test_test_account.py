"""Runs the blocks of docs/test-account.md, with an emulated test account in place of WeChat's.

Red when the configuration on the page is not that of a test account, when a call on it is wrong, and when
check-config, serve or doctor does not say that nothing signs the pushes.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import yaml
from aiohttp import ClientError, ClientSession
from guide import Guide
from harness import ACCOUNT
from serving import listening, port_of_a_process

from sandbox.app import SANDBOX, make_app

PAGE: Final = Path(__file__).parent.parent / "docs" / "test-account.md"
UNSIGNED: Final = "accounts.main.kind: a test account: nothing signs the bodies of its pushes"


async def test_the_page_leads_to_a_login_with_a_test_account(tmp_path: Path) -> None:
    port = port_of_a_process()
    guide = Guide(PAGE, {"https://login.example": f"http://127.0.0.1:{port}"})
    assert guide.take("sh").startswith("cloudflared tunnel --url http://127.0.0.1:8080")
    (tmp_path / "my.yaml").write_text(configuration := guide.take("yaml"), encoding="utf-8")
    written = yaml.safe_load(configuration)["accounts"]["main"]
    official = replace(
        ACCOUNT,
        mode="plain",
        callback_url=f"http://127.0.0.1:{port}/wechat/main",
        **{name: written[name] for name in ("appid", "secret", "token")},
    )
    app = make_app([official], public_url="http://weixin.qq.com")
    async with listening(app) as wechat:
        environ = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SCANBIND_SERVER__PORT": str(port),
            "SCANBIND_ACCOUNTS__MAIN__API_BASE": wechat,
        }

        async def start(command: str) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_shell(
                f"exec {command}",
                cwd=tmp_path,
                env=environ,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )

        async def run(command: str) -> str:
            process = await start(command)
            printed, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0, printed
            return printed.decode()

        checked = (await run(guide.take("sh"))).splitlines()
        assert checked[0].startswith(UNSIGNED.replace(": ", ": warning: ", 1))
        assert checked[1:] == ["configuration is good"]
        service = await start(guide.take("sh"))
        try:
            async with ClientSession() as http, asyncio.timeout(20):
                while not await answers(http, f"http://127.0.0.1:{port}/readyz"):
                    await asyncio.sleep(0.05)
            doctor = await run(guide.take("sh"))
            assert [line for line in doctor.splitlines() if line.startswith("warning  accounts")] == [
                line for line in doctor.splitlines() if UNSIGNED in line
            ]
            assert doctor.count(UNSIGNED) == 1
            made = json.loads(await run(guide.take("sh")))
            person = await app[SANDBOX].create_user("Anna")
            scan = await app[SANDBOX].scan(person, made["qr_url"])
            assert scan.outcome == "follow_first"
            await app[SANDBOX].follow(person)
            follow = guide.take("sh").replace("TICKET", made["ticket"]).replace("SECRET", made["secret"])
            scanned = json.loads(await run(follow))
            await app[SANDBOX].say(person, scanned["match"])
            confirmed = json.loads(await run(follow))
            assert (scanned["status"], confirmed["status"]) == ("scanned", "confirmed")
            assert confirmed["code"]
        finally:
            service.terminate()
            logged, _ = await service.communicate()
    assert f"configuration: {UNSIGNED}" in logged.decode()
    assert guide.left == []


async def answers(http: ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as response:
            return response.ok
    except ClientError:
        return False
