"""Figures as people read them: amounts of money, durations, counts."""

from __future__ import annotations

from collections.abc import Mapping


def format_cost(dollars: float | None) -> str:
    """An amount with cents, or with two digits that matter: ``$12.35``, ``$0.0043``, ``$0.000042``."""
    if dollars is None or dollars != dollars:  # noqa: PLR0124  (NaN)
        return "unknown"
    if dollars == 0:
        return "$0.00"
    if abs(dollars) >= 0.995:
        return f"${dollars:,.2f}"
    if abs(dollars) < 1e-12:
        return "<$0.000000000001"
    exponent = int(f"{dollars:.1e}".partition("e")[2])
    return f"${dollars:.{max(2, 1 - exponent)}f}"


def format_duration(seconds: float) -> str:
    """A duration as one reads it: ``850 ms``, ``6.5 s``, ``2 min 03 s``, ``1 h 02 min``."""
    if not 0 <= seconds < float("inf"):
        return "0 ms" if seconds < 0 else "unknown"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 or seconds == 0 else "<1 ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def format_count(count: int, singular: str = "", plural: str | None = None) -> str:
    """A number with thousands separators and its noun: ``1 tool``, ``1,399 tools``."""
    if not singular:
        return f"{count:,}"
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def format_losses(lost: Mapping[str, int], error: str | None) -> str:
    """How many spans were lost for which reasons: ``6 rejected: too old; 2 queue full``.

    Args:
        lost: by reason.
        error: what was said last, such as ``rejected: too old``; it stands first where it belongs to none of them.
    """
    told = {reason: f"{count:,} {reason}" for reason, count in lost.items() if count}
    reason = (error or "").partition(":")[0]
    if reason in told:
        told[reason] = f"{lost[reason]:,} {error}"
    elif error:
        told = {"": error, **told}
    return "; ".join(told.values())
