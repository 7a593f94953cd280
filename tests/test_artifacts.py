"""Videos: URLs stay as they are, files are copied, what cannot be had is told."""

from __future__ import annotations

import logging
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import agentops_otel as agentops
from agentops_otel.artifacts import data_directory, store_video
from agentops_otel.config import Configuration
from agentops_otel.testing import SpanCapture

ID = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def video(tmp_path):
    file = tmp_path / "my run.mp4"
    file.write_bytes(b"moving pictures")
    return file


@pytest.mark.parametrize("url", ["https://example.org/v.mp4", "s3://bucket/v.mp4", "HTTP://example.org/v"])
def test_a_url_stays(url):
    """A URL is recorded as it is, and nothing is fetched."""
    assert store_video(url, ID, Configuration()) == url


@pytest.mark.parametrize("form", [str, Path, Path.as_uri], ids=["text", "path", "file-url"])
def test_a_file_is_copied(tmp_path, video, form):
    """A local file is copied below the session's id, for the owner only, and the copy's URL is recorded."""
    url = store_video(form(video), ID, Configuration(artifact_store=str(tmp_path / "store")))
    copy = Path(unquote(urlsplit(url).path))
    assert copy == tmp_path / "store" / ID / "my run.mp4"
    assert copy.read_bytes() == b"moving pictures"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert video.exists()


def test_the_store_may_be_a_file_url(tmp_path, video):
    """`file://` names a folder, spaces and all."""
    url = store_video(video, ID, Configuration(artifact_store=(tmp_path / "my store").as_uri()))
    assert (tmp_path / "my store" / ID / "my run.mp4").read_bytes() == b"moving pictures"
    assert url.startswith((tmp_path / "my store").as_uri())


def test_without_a_store_it_is_the_data_directory(monkeypatch, tmp_path, video):
    """Files go below the user's data directory."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert data_directory() == tmp_path / "data" / "agentops-otel"
    store_video(video, ID, Configuration())
    assert (data_directory() / "artifacts" / ID / "my run.mp4").is_file()
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_directory() == tmp_path / ".local" / "share" / "agentops-otel"


@pytest.mark.parametrize("wrong", ["no/such/file.mp4", 17, "\0", "ht tp://x"])
def test_what_is_neither_is_told(caplog, wrong):
    """A video that is neither URL nor file is one warning, and no error."""
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        assert store_video(wrong, ID, Configuration()) is None
    assert len(caplog.records) == 1


def test_a_store_that_cannot_be_written_is_told(caplog, tmp_path, video):
    """A store that is a file, or a URL without fsspec, is one warning, and the session ends all the same."""
    (tmp_path / "file").write_text("x")
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, summary=False, artifact_store=str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        agentops.end_session("Success", video=str(video))
    assert len(caplog.records) == 1
    assert "agentops.session.video" not in capture.find("session").attributes


def test_a_session_records_its_video(tmp_path, video):
    """`end_session(video=...)` puts the URL of the copy on root and session."""
    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, summary=False, artifact_store=str(tmp_path / "store"))
    session = agentops.current_session()
    agentops.end_session("Success", video=str(video))
    assert capture.find("session").attributes["agentops.session.video"] == session.video
    assert session.video.startswith("file://")
