"""The browser inside WeChat: pages with its User-Agent and cookies of its own for each person."""
