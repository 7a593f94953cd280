"""The scripts and styles of the product."""

from __future__ import annotations

import gzip
import re

import pytest

from agentops_otel.server.assets import assets, static_url, version
from agentops_otel.server.render import TEMPLATES

BUDGET = 60_000


def test_scripts_and_styles_are_small():
    """All of them together, compressed, are below 60 kB."""
    sizes = {name: len(asset.compressed) for name, asset in assets().items()}
    assert sum(sizes.values()) <= BUDGET, sizes
    assert {"app.css", "app.js", "theme.js"} <= set(sizes)


@pytest.mark.parametrize("name", sorted(assets()))
def test_a_file_is_whole_and_asks_no_other_host(name):
    """The compressed form is the same file, and nothing in it is fetched from elsewhere."""
    asset = assets()[name]
    assert gzip.decompress(asset.compressed) == asset.content
    text = asset.content.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\(|//[a-z0-9-]+\.[a-z]{2,}/", text)


@pytest.mark.parametrize("name", sorted(name for name in assets() if name.endswith(".js")))
def test_a_script_imports_only_its_neighbours(name):
    """Imports are relative, so that they are of the same version, and there."""
    text = assets()[name].content.decode()
    for imported in re.findall(r"""\b(?:from |import |import\()["']([^"']+)["']""", text):
        assert imported.startswith("./")
        assert imported[2:] in assets()


# The export is a file without a server, and brings its styles.
@pytest.mark.parametrize(
    "path", sorted(set(TEMPLATES.glob("*.html")) - {TEMPLATES / "export.html"}), ids=lambda path: path.name
)
def test_a_template_has_no_style_or_script_of_its_own(path):
    """The policy of the pages forbids both, and a template that marks text as safe would let text be markup."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text)
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert not re.search(r"\|\s*safe\b|autoescape false", text)


def test_the_address_of_a_file_changes_with_any_file():
    """A browser may keep a file for ever."""
    assert static_url("app.css") == f"/static/{version()}/app.css"
    assert re.fullmatch(r"[0-9a-f]{12}", version())
    with pytest.raises(KeyError):
        static_url("../app.css")
