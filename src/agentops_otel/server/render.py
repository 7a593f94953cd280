"""Templates: one environment, autoescaped and strict, with the formats as filters and the frame around every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import address, prose, words
from . import format as formats
from .address import PERIODS, Address, Period
from .assets import static_url
from .page import Asked
from .svg import chart, marks, shape, timeline

TEMPLATES: Final = Path(__file__).parent / "templates"
NAV: Final = (
    ("Sessions", "/"),
    ("Costs", "/costs"),
    ("Errors", "/errors"),
    ("Tools", "/tools"),
    ("Models", "/models"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page: where it is in the navigation, its period, its project, the words searched for."""

    current: str
    """The name in the navigation; empty on a page that is not in it."""
    nav: Sequence[tuple[str, str]]
    """Name and address of each page, for the same period and project."""
    periods: Sequence[Period]
    period: str
    """The label of the period that is on."""
    project: str
    """Empty is all projects."""
    projects: Sequence[str]
    search: str
    address: Address

    @classmethod
    def of(cls, template: str, asked: Asked) -> Frame:
        """The frame of a template for what was asked."""
        here = Address(asked.query)
        current = {"costs": "Costs", "errors": "Errors", "tools": "Tools", "models": "Models"}.get(
            template.partition(".")[0], "Sessions"
        )
        if template.partition(".")[0] in {"search", "system", "problem"}:
            current = ""
        return cls(
            current=current,
            nav=[(name, here.to(path)) for name, path in NAV],
            periods=PERIODS,
            period=here.period.label,
            project=here.one("project"),
            projects=asked.store.projects(),
            search=here.one("q"),
            address=here,
        )


@cache
def environment() -> Environment:
    """The environment of all pages; a template is compiled when it is first used, and kept."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    for module in (formats, shape, timeline, marks, prose, address, chart, words):
        made.filters.update(module.FILTERS)
    made.globals.update(static_url=static_url)
    return made


def render(template: str, page: object, asked: Asked, **more: object) -> str:
    """A page as HTML.

    Args:
        template: a file's name under ``templates/``.
        page: the dataclass that the page's function returned; ``page`` in the template.
        asked: what was asked; the template sees ``frame`` and ``now_ns`` of it.
        more: further variables.
    """
    frame = Frame.of(template, asked)
    return environment().get_template(template).render(page=page, frame=frame, now_ns=asked.now_ns, **more)
