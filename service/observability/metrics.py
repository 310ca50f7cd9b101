"""What the service counts, for Prometheus. No label holds anything of a person."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One registry a service, so that several can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._observers: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._requests = Histogram(
            "scanbind_http_request_seconds",
            "Answered requests, by the route's pattern.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.tickets = Counter(
            "scanbind_tickets_total",
            "Tickets made.",
            ("client", "purpose", "via"),
            registry=self._registry,
        )
        self.pushes = Counter(
            "scanbind_pushes_total",
            "WeChat pushes that were believed.",
            ("account", "event"),
            registry=self._registry,
        )
        self.endings = Counter(
            "scanbind_endings_total",
            "Answers to tickets, by how they ended.",
            ("client", "purpose", "ending"),
            registry=self._registry,
        )

        self.limited = Counter(
            "scanbind_limited_total",
            "What was refused for being too often, by the limit that was met.",
            ("limit",),
            registry=self._registry,
        )
        self.codes = Gauge(
            "scanbind_codes_today",
            "Codes asked of WeChat since midnight in Beijing, by all processes, as this one last saw it.",
            ("account",),
            registry=self._registry,
        )

    def request(self, method: str, route: str, status: int, *, seconds: float) -> None:
        """Note one answered request; *route* is a pattern, so that there are few."""
        key = (method, route, status)
        if (observe := self._observers.get(key)) is None:  # looking a label up costs more than counting
            observe = self._observers[key] = self._requests.labels(method, route, str(status)).observe
        observe(seconds)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a gauge that asks *value* whenever it is read."""
        Gauge(f"scanbind_{name}", about, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)
