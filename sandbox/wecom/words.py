"""The texts of WeCom's page in Chinese and English."""

from typing import Final

LOGIN: Final = {
    "zh": {
        "lang": "zh-CN",
        "title": "企业微信登录",
        "what": "使用企业微信登录",
        "person": "以此用户登录",
        "member": "是企业成员",
        "allow": "允许",
        "refuse": "拒绝",
    },
    "en": {
        "lang": "en",
        "title": "WeCom login",
        "what": "Log in with WeCom to",
        "person": "Log in as",
        "member": "is a member of the enterprise",
        "allow": "Allow",
        "refuse": "Refuse",
    },
}
