"""Formats results: quantiles, medians, a table."""

import math
import statistics
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that *share* of all values do not exceed; NaN without values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(values: Sequence[float], share: float) -> str:
    return f"{quantile(values, share) * 1000:.1f}"


def median(values: Sequence[float], *, digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f}"


def rounds(values: Sequence[float], *, digits: int = 2) -> str:
    """Format one value per round."""
    return " ".join(f"{value:.{digits}f}" for value in values)


def table(head: Sequence[str], *rows: Sequence[str]) -> str:
    """Return a table with aligned columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
