"""Send a person's message with anything in it, at any CreateTime, and read the reply."""

import itertools
import re
from typing import Any

from attacked_pushes import told
from harness import ACCOUNT, World

from sandbox.crypto import Sealer, sign
from sandbox.people import Person
from sandbox.push_format import write

_serial = itertools.count(1)


def message(world: World, person: Person, *, created: float, **fields: Any) -> bytes:
    """Return the push of a message, in XML; *created* is relative to now."""
    head = {
        "ToUserName": ACCOUNT.gh_id,
        "FromUserName": person.openid(ACCOUNT.appid),
        "CreateTime": int(world.clock.seconds() + created),
    }
    return write({**head, "MsgId": next(_serial), **fields}, "xml")


async def pushed(world: World, body: bytes, *, mode: str = "safe") -> str | None:
    """Deliver a push as WeChat does and return the text of the reply; None for `success`."""
    parts = (ACCOUNT.token, str(int(world.clock.seconds())), "1")
    query = {"signature": sign(*parts), "timestamp": parts[1], "nonce": parts[2]}
    if mode != "plain":
        encrypt = Sealer.of(ACCOUNT.aes_key, appid=ACCOUNT.appid).seal(body)
        query |= {"encrypt_type": "aes", "msg_signature": sign(*parts, encrypt)}
        beside = body.removesuffix(b"</xml>") if mode == "compatible" else b"<xml>"
        body = beside + f"<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>".encode()
    response = await world.call("POST", "/wechat/main", params=query, data=body)
    answer = await response.read()
    assert response.status == 200, answer
    if answer == b"success":
        return None
    found = re.search(r"<Content><!\[CDATA\[(.*)\]\]></Content>", told(answer, mode), re.DOTALL)
    assert found
    return found[1]


async def typed(world: World, person: Person, text: str, *, created: float = 0, mode: str = "safe") -> str | None:
    """Type *text* and return the reply."""
    return await pushed(world, message(world, person, created=created, MsgType="text", Content=text), mode=mode)


async def spoken(world: World, person: Person, recognised: str) -> str | None:
    """Say something that WeChat's speech recognition writes as *recognised*, and return the reply."""
    about = {"MsgType": "voice", "MediaId": "m", "Format": "amr", "Recognition": recognised}
    return await pushed(world, message(world, person, created=0, **about))
