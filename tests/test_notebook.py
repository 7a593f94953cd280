"""`%load_ext agentops_otel` and `%%session`, in a real IPython."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import ROOT

pytest.importorskip("IPython")


@pytest.fixture
def notebook(tmp_path):
    """Runs cells in an IPython of its own, which sends to a server; gives what was printed, and the server's spans."""

    def notebook(*cells, **variables):
        program = tmp_path / "cells.py"
        program.write_text(
            "from IPython.core.interactiveshell import InteractiveShell\n"
            "shell = InteractiveShell()\nresults = shell.user_ns['results'] = []\n"
            "shell.run_cell('%load_ext agentops_otel')\n"
            + "".join(f"results.append(shell.run_cell({textwrap.dedent(cell)!r}))\n" for cell in cells)
        )
        with FaultServer() as server:
            environ = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path)}
            environ |= {"AGENTOPS_ENDPOINT": server.url, "AGENTOPS_SUMMARY": "false", "PATH": "/usr/bin:/bin"}
            done = subprocess.run(
                [sys.executable, str(program)],
                env={**environ, **variables},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout + done.stderr, server.spans()

    return notebook


def _attributes(span):
    values = {item.key: item.value for item in span.attributes}
    return {
        key: value.string_value or [each.string_value for each in value.array_value.values]
        for key, value in values.items()
    }


def test_a_cell_is_a_session(notebook):
    """Its name and tags are those of the line; what the cell records is in it; what it defines stays."""
    said, spans = notebook(
        """\
        %%session order 1842 --tag shop --tag 'two words'
        import agentops_otel as agentops
        agentops.record(agentops.ActionEvent("search"))
        answer = 42
        """,
        "print('the answer is', answer, session.end_state.value)",
    )
    [root] = [span for span in spans if not span.parent_span_id]
    assert {span.name for span in spans} == {"session order 1842", "search"}
    said_of_root = _attributes(root)
    assert said_of_root["agentops.session.tags"] == ["shop", "two words"]
    assert said_of_root["agentops.session.end_state"] == "Success"
    assert "the answer is 42 Success" in said
    assert "<Session " in said


def test_a_cell_is_shown_with_its_spans(notebook):
    """Below the cell stands what it did, as HTML that needs no script."""
    said, _ = notebook(
        """\
        %%session
        import agentops_otel as agentops
        agentops.record(agentops.ActionEvent("search"))
        """,
        "print(session._repr_html_())",
    )
    assert "<summary>1 span</summary>" in said
    assert "■ <b>search</b>" in said


def test_a_cell_that_fails(notebook):
    """The session has failed, the traceback is shown once, and the notebook goes on."""
    said, spans = notebook("%%session\nraise KeyError('order')", "print('next', session.end_state.value)")
    [root] = [span for span in spans if not span.parent_span_id]
    assert _attributes(root)["agentops.session.end_state"] == "Fail"
    assert _attributes(root)["agentops.session.end_state_reason"] == "KeyError: 'order'"
    assert said.count("Traceback (most recent call last)") == 1
    assert "next Fail" in said


def test_a_cell_that_is_no_python(notebook):
    """A mistake in the cell is shown, and fails the session too."""
    said, spans = notebook("%%session\ndef :")
    assert "SyntaxError" in said
    assert [_attributes(span)["agentops.session.end_state"] for span in spans] == ["Fail"]


@pytest.mark.parametrize(
    ("cell", "kind", "once"),
    [
        ("raise KeyError('order')", "KeyError", "Traceback (most recent call last)"),
        ("raise BaseException('mine')", "BaseException", "Traceback (most recent call last)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "Traceback (most recent call last)"),
        ("raise SystemExit(3)", "SystemExit", "An exception has occurred"),
        ("def :", "SyntaxError", "invalid syntax"),
        ("%%session inner\nraise KeyError('order')", "KeyError", "Traceback (most recent call last)"),
        ("%%time\nraise KeyError('order')", "KeyError", "Traceback (most recent call last)"),
    ],
)
def test_whoever_runs_a_cell_hears_of_its_failure(notebook, cell, kind, once):
    """As of a cell without the magic; the traceback is shown once, and that of the next cell again."""
    said, _ = notebook(
        f"%%session\n{cell}",
        "print('result', *[type(each.error_before_exec or each.error_in_exec).__name__ for each in results])",
        "raise LookupError('next')",
    )
    shown, _, after = said.partition(f"result {kind}\n")
    assert shown.count(once) == 1, said
    assert after.count("Traceback (most recent call last)") == 1, said


def test_a_failure_that_is_caught(notebook):
    """Code that runs the magic and catches what it raises goes on; later tracebacks are shown."""
    said, _ = notebook(
        """\
        try:
            get_ipython().run_cell_magic("session", "", "raise KeyError('order')")
        except KeyError:
            print("caught")
        """,
        "raise LookupError('next')",
        "raise LookupError('after that')",
    )
    assert "caught\n" in said
    assert said.count("Traceback (most recent call last)") == 3


def test_a_line_that_is_not_valid(notebook):
    """It says what is expected, and the cell does not run."""
    said, spans = notebook("%%session --tags shop\nprint('ran')")
    assert "expected %%session NAME --tag TAG" in said
    assert "ran\n" not in said
    assert spans == []


def test_ipython_is_not_loaded_by_us():
    """Who does not use a notebook pays nothing for it."""
    code = "import sys, agentops_otel; sys.exit('IPython' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
