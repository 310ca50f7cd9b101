"""Prometheus metrics. Labels contain no personal data."""

import platform
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from service.version import VERSION

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one service, in a registry of their own: a process may run several services."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._observers: dict[tuple[str, str, int], Callable[[float], None]] = {}
        about = {"version": VERSION, "python": platform.python_version()}
        Info("scanbind_build", "The version of the service, and of Python.", registry=self._registry).info(about)
        self._requests = Histogram(
            "scanbind_http_request_seconds",
            "Duration of HTTP requests, by route pattern.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.tickets = Counter(
            "scanbind_tickets_total",
            "Tickets created.",
            ("client", "purpose", "via"),
            registry=self._registry,
        )
        self.pushes = Counter(
            "scanbind_pushes_total",
            "Authenticated WeChat pushes.",
            ("account", "event"),
            registry=self._registry,
        )
        self.endings = Counter(
            "scanbind_endings_total",
            "Tickets answered in the chat, by ending.",
            ("client", "purpose", "ending"),
            registry=self._registry,
        )
        self.forwarded = Counter(
            "scanbind_forwarded_total",
            "Pushes passed on, by the target's place in accounts.NAME.forward and by outcome.",
            ("account", "target", "outcome"),
            registry=self._registry,
        )
        self.limited = Counter(
            "scanbind_limited_total",
            "Requests and scans refused by a rate limit, by limit.",
            ("limit",),
            registry=self._registry,
        )
        self.webhooks = Counter(
            "scanbind_webhooks_total",
            "Tries to deliver webhooks, by client (empty: the operator) and outcome.",
            ("client", "outcome"),
            registry=self._registry,
        )
        self.notices = Counter(
            "scanbind_notices_total",
            "Notices for the chat, by client and outcome.",
            ("client", "outcome"),
            registry=self._registry,
        )
        self.codes = Gauge(
            "scanbind_codes_today",
            "QR codes requested from WeChat since midnight in Beijing by all processes, as last read by this one.",
            ("account",),
            registry=self._registry,
        )

    def request(self, method: str, route: str, status: int, *, seconds: float) -> None:
        """Count an answered request. *route* is the pattern, to keep the number of label values small."""
        key = (method, route, status)
        if (observe := self._observers.get(key)) is None:  # a label lookup costs more than the observation
            observe = self._observers[key] = self._requests.labels(method, route, str(status)).observe
        observe(seconds)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a gauge that calls *value* on every scrape."""
        Gauge(f"scanbind_{name}", about, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)
