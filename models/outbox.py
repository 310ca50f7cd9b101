"""Events to deliver: what is known of one, and of the endpoints that take them. Values only."""

from enum import StrEnum


class State(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """All its tries failed, or it grew too old."""


class EndpointFault(StrEnum):
    """Why an endpoint is disabled: the `reason` of `webhook.disabled`."""

    GONE = "gone"
    """It answered 410: only the operator enables it again."""
    FAILING = "failing"
    """It fails for long: one delivery at a time is tried, and a success enables it again."""
