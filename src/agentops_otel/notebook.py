"""`%load_ext agentops_otel` in IPython and Jupyter: the cell magic `%%session`, for one cell as one session.

IPython is imported by whoever loads the extension, never by us.
"""

from __future__ import annotations

import sys
from typing import Any

from . import api
from .kept import Notebook


def load_ipython_extension(ipython: Any) -> None:
    """Add the cell magic `%%session [NAME] [--tag TAG]...`; IPython calls this for `%load_ext agentops_otel`.

    The cell is a session of its own: an exception ends it as Fail, and passes; a normal end is Success. The session
    is shown below the cell and is in the variable `session` afterwards. What the cell defines stays. Sessions that
    begin from now on keep what is shown of their last 1,000 spans in memory, so that a session is shown with its spans.
    """

    def session(line: str, cell: str) -> None:
        _run(ipython, cell, *_given(line))

    Notebook.is_open = True
    ipython.register_magic_function(session, magic_kind="cell", magic_name="session")


def _given(line: str) -> tuple[str | None, list[str]]:
    """The name and the tags behind the magic.

    Raises:
        ValueError: the line is not valid.
    """
    import shlex

    name: list[str] = []
    tags: list[str] = []
    words = iter(shlex.split(line))
    for word in words:
        if word == "--tag" or word.startswith("--tag="):
            tag = word.partition("=")[2] or next(words, "")
            tags.append(tag)
        elif word.startswith("-"):
            raise ValueError(f"%%session: {word} is not known; expected %%session NAME --tag TAG")
        else:
            name.append(word)
    return " ".join(name) or None, tags


def _run(ipython: Any, cell: str, name: str | None, tags: list[str]) -> None:
    """Run a cell inside of a session, and show the session; raises what the cell has raised."""
    block = api.session(tags or None, name=name)
    with_session = block.__enter__()
    error: BaseException | None = None
    try:
        result = ipython.run_cell(cell)  # which prints a traceback itself
        error = result.error_before_exec or result.error_in_exec
    finally:
        block.__exit__(None if error is None else type(error), error, None if error is None else error.__traceback__)
    ipython.user_ns["session"] = with_session
    from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

    display(with_session)  # type: ignore[no-untyped-call, unused-ignore]
    if error is not None:  # else `Run All`, and whoever runs the notebook as a program, would go on
        _do_not_show_again(ipython, error)
        raise error


def _do_not_show_again(ipython: Any, error: BaseException) -> None:
    """The traceback stands above the session already; IPython would show it for the magic, too."""
    show = ipython.showtraceback

    def once(*args: Any, **kwargs: Any) -> None:
        ipython.showtraceback = show
        if sys.exc_info()[1] is not error:
            show(*args, **kwargs)

    ipython.showtraceback = once
