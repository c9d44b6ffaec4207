"""Times in words."""

from __future__ import annotations


def duration(seconds: float, decimals: int = 0) -> str:
    """``seconds`` in words that a person reads: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.{decimals}f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
