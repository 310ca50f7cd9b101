"""The languages that pages and the chat speak."""

from enum import StrEnum


class Lang(StrEnum):
    ZH = "zh"
    EN = "en"
