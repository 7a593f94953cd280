"""The table of docs/settings.md, from SETTINGS of the package; the text around it is written by hand."""

from __future__ import annotations

from typing import Any, get_args

from agentops_otel import config
from agentops_otel.config import SETTINGS, Setting, Settings

BEGIN = "<!-- The table is written by tools/pages/settings.py from SETTINGS in src/agentops_otel/config.py. -->\n"


def generated() -> str:
    """The table."""
    head = "| setting | type | default | variables | meaning |\n|---|---|---|---|---|\n"
    return head + "".join(_row(setting) for setting in SETTINGS)


def _row(setting: Setting[Any]) -> str:
    variables = ", ".join(f"`{name}`" for name in (*setting.env, *setting.otel)) or "-"
    kind = Settings.__annotations__.get(setting.name, "str | None")  # api_key has its own place in the signatures
    kind = str(getattr(kind, "__forward_arg__", kind)).removesuffix(" | None").replace("|", "or")
    kind = " or ".join(f'"{word}"' for word in get_args(getattr(config, kind, None))) or kind
    return f"| `{setting.name}` | `{kind}` | {_default(setting.default)} | {variables} | {setting.help} |\n"


def _default(value: Any) -> str:
    return "-" if value is None or value in ((), {}) else f"`{value}`"
