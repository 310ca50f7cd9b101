"""The languages of the pages and the chat."""

from enum import StrEnum


class Lang(StrEnum):
    ZH = "zh"
    EN = "en"
