"""Chat messages and the links in them (wechat-protocol.md 3.6). Pure."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote

FAULT: Final = "该公众号提供的服务出现故障，请稍后再试"
"""What WeChat shows when the service fails to answer a push (wechat-protocol.md 3.4)."""

Side = Literal["person", "account", "wechat"]
"""The sender; `wechat` is the app itself, which shows notes and faults."""

_ANCHOR: Final = re.compile(r"""<a\s+href=(["'])([^"'<>]*)\1\s*>([^<]*)</a>""")
_MENU: Final = "weixin://bizmsgmenu?"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message: plain text, a link that opens `href`, or a link that sends `says` when tapped."""

    text: str
    href: str | None = None
    says: str | None = None
    menu_id: str | None = None
    """`msgmenuid` of a link that sends a text."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; ids increase within the chat."""

    id: int
    at: float
    side: Side
    text: str
    pieces: tuple[Piece, ...] = ()


def pieces(text: str) -> tuple[Piece, ...]:
    """Split a text into plain parts and links; any other HTML stays plain text."""
    found: list[Piece] = []
    end = 0
    for match in _ANCHOR.finditer(text):
        link = _link(match[2], label=match[3])
        if link is None:
            continue
        found += [Piece(text[end : match.start()]), link]
        end = match.end()
    found.append(Piece(text[end:]))
    return tuple(piece for piece in found if piece.text or piece.says)


def menu_link(content: str, *, menu_id: str) -> str:
    """Return the markup of a link that sends `content` when tapped."""
    query = f"msgmenucontent={quote(content, safe='')}&msgmenuid={quote(menu_id, safe='')}"
    return f'<a href="{_MENU}{query}">{content}</a>'


def _link(href: str, *, label: str) -> Piece | None:
    if href.startswith(("https://", "http://")):
        return Piece(label, href=href)
    if not href.startswith(_MENU):
        return None
    # Only percent-decoding: WeChat keeps a plus sign as it is.
    given = {name: unquote(value) for name, _, value in (p.partition("=") for p in href[len(_MENU) :].split("&"))}
    content = given.get("msgmenucontent")
    return Piece(label, says=content, menu_id=given.get("msgmenuid")) if content else None
