"""The texts of WeChat's pages in Chinese and English."""

from typing import Final

LOGIN: Final = {
    "zh": {
        "lang": "zh-CN",
        "title": "微信登录",
        "waiting": "使用微信扫一扫登录",
        "scanned": "扫描成功，请在微信中轻触“允许”。",
        "allowed": "登录成功，正在返回网站。",
        "refused": "你已取消此次登录。刷新页面可重新扫码。",
        "expired": "二维码已过期，请刷新页面。",
    },
    "en": {
        "lang": "en",
        "title": "WeChat login",
        "waiting": "Scan with WeChat to log in to",
        "scanned": "Scanned. Tap “Allow” in WeChat.",
        "allowed": "Logged in. Going back to the site.",
        "refused": "You have cancelled this login. Reload the page to scan again.",
        "expired": "The QR code has expired. Reload the page.",
    },
}
ASKS: Final = {
    "zh": {
        "lang": "zh-CN",
        "title": "微信授权",
        "what": "申请获取你的昵称和头像",
        "allow": "允许",
        "refuse": "拒绝",
    },
    "en": {
        "lang": "en",
        "title": "WeChat authorization",
        "what": "asks for your nickname and profile picture",
        "allow": "Allow",
        "refuse": "Refuse",
    },
}
BROWSER: Final = {
    "zh": {
        "lang": "zh-CN",
        "title": "无法打开此网页",
        "unknown": "此微信用户不存在，或网址不完整。",
        "refused": "模拟微信只打开其应用的回调地址和授权域名，其他设备只能打开回调地址和演示网站。不能打开：",
        "unreachable": "网页没有响应：",
    },
    "en": {
        "lang": "en",
        "title": "This page cannot be opened",
        "unknown": "There is no such WeChat user, or the address is incomplete.",
        "refused": (
            "The sandbox opens callback addresses and domains of its own apps; from other machines, callback "
            "addresses and the sites of the demo. It does not open"
        ),
        "unreachable": "There is no answer from",
    },
}
