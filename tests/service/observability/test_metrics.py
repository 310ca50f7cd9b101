"""Metrics in Prometheus' text format, with a registry for each service and no personal labels."""

import platform

from prometheus_client.parser import text_string_to_metric_families

from service.observability.metrics import Metrics
from service.version import VERSION


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples
    }


def test_requests_are_counted_by_pattern_method_and_status() -> None:
    metrics = Metrics()
    metrics.request("GET", "/v1/tickets/{ticket}", 200, seconds=0.004)
    metrics.request("GET", "/v1/tickets/{ticket}", 200, seconds=2)
    metrics.request("GET", "/v1/tickets/{ticket}", 404, seconds=1)
    labels = (("method", "GET"), ("route", "/v1/tickets/{ticket}"), ("status", "200"))
    told = samples(metrics)
    assert told["scanbind_http_request_seconds_count", labels] == 2
    assert told["scanbind_http_request_seconds_sum", labels] == 2.004
    assert told["scanbind_http_request_seconds_bucket", (("le", "0.005"), *labels)] == 1


def test_a_gauge_is_read_whenever_the_metrics_are() -> None:
    metrics, value = Metrics(), [1.0]
    metrics.watch("waiting", "Waiting browsers.", lambda: value[0])
    assert samples(metrics)["scanbind_waiting", ()] == 1
    value[0] = 7
    assert samples(metrics)["scanbind_waiting", ()] == 7


def test_the_version_of_the_service_and_of_python_are_labels() -> None:
    labels = (("python", platform.python_version()), ("version", VERSION))
    assert samples(Metrics())["scanbind_build_info", labels] == 1


def test_two_services_in_one_process_count_separately() -> None:
    """Red when collectors are registered in the default registry of the process."""
    one, other = Metrics(), Metrics()
    one.limited.labels("scans").inc()
    limited = ("scanbind_limited_total", (("limit", "scans"),))
    assert samples(one)[limited] == 1
    assert limited not in samples(other)


def test_the_names_and_labels_are_the_documented_ones() -> None:
    """Red when a label of a person is added: metrics are read by more people than the database."""
    metrics = Metrics()
    kinds = (metrics.tickets, metrics.pushes, metrics.endings, metrics.limited, metrics.codes, metrics._requests)
    assert {kind._name: kind._labelnames for kind in kinds} == {
        "scanbind_tickets": ("client", "purpose", "via"),
        "scanbind_pushes": ("account", "event"),
        "scanbind_endings": ("client", "purpose", "ending"),
        "scanbind_limited": ("limit",),
        "scanbind_codes_today": ("account",),
        "scanbind_http_request_seconds": ("method", "route", "status"),
    }
