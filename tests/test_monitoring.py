"""Runs every block of docs/monitoring.md against a real process.

Red when an address, a metric or the screen on the page is another than the service's, and when an alert uses a
metric or a label that does not exist.
"""

import json
import re
from pathlib import Path
from typing import Final

import yaml
from aiohttp import ClientSession
from desk import Desk
from guide import Guide
from serving import port_of_a_process, serving, wechat

from service.observability.metrics import Metrics

PAGE: Final = Path(__file__).parent.parent / "docs" / "monitoring.md"
USED: Final = re.compile(r"(scanbind_\w+)(?:{(\w+)=~?\")?")


async def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    guide = Guide(PAGE, {})
    internal = yaml.safe_load(guide.take("yaml"))["server"]["internal"]
    here = f"127.0.0.1:{port_of_a_process()}"
    async with (
        wechat() as api,
        serving(tmp_path, api, server={"internal": here}) as service,
        ClientSession() as http,
    ):
        guide.elsewhere = {internal: here, "http://127.0.0.1:8080": service.url}
        desk = Desk(tmp_path, guide, http, service.url, api, "")
        await desk.wait_for(f"http://{here}/readyz")
        for _ in ("livez", "readyz"):
            assert json.loads(await desk.run(guide.take("sh"))) == json.loads(guide.take("json"))
        assert _shape(await desk.run(guide.take("sh"))) == _shape(guide.take("text"))
        [job] = yaml.safe_load(guide.take("yaml"))["scrape_configs"]
        assert job["static_configs"] == [{"targets": [here]}]
        _check_alerts(guide.take("yaml"), job["job_name"])
        assert _words(await desk.run(guide.take("sh"))) == _words(guide.take("text"))
        assert (await desk.run(guide.take("sh"))).strip() == guide.take("text")
    assert guide.left == []


def _check_alerts(rules: str, job: str) -> None:
    """Check that every metric and label of the rules exists, and that the names of the rules differ."""
    [group] = yaml.safe_load(rules)["groups"]
    expressions = [rule["expr"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in group["rules"]}) == len(expressions)
    assert expressions[0] == f'up{{job="{job}"}} == 0'
    known = _labels(Metrics())
    for expression in expressions[1:]:
        used = USED.findall(expression)
        assert used
        for name, label in used:
            assert {label} - {""} <= known[name], expression
        for grouped in re.findall(r"by \((\w+)\)", expression):
            assert all(grouped in known[name] for name, _ in used), expression


def _labels(metrics: Metrics) -> dict[str, set[str]]:
    """Return the labels of each metric by the name of its samples."""
    found = {"scanbind_audit_lost": set[str]()}
    for kind in vars(metrics).values():
        if names := getattr(kind, "_labelnames", None):
            for ending in ("", "_total", "_count"):
                found[kind._name + ending] = set(names)
    return found


def _shape(text: str) -> str:
    """Return *text* without its values."""
    return re.sub(r'"[^"]*"', '""', text.strip())


def _words(screen: str) -> list[str]:
    """Return the first word of each line, and the words that follow a number on it."""
    return [line.split()[0] for line in screen.strip().splitlines()]
