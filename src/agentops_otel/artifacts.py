"""Where a session's files go: a local video is copied to the artifact store, and its URL is recorded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from .config import Configuration
from .log import logger
from .text import MAX_LENGTH, shown

_REMOTE: Final = ("http", "https", "s3", "gs", "az", "abfs", "memory", "ftp", "sftp", "rtsp", "data")


def data_directory() -> Path:
    """The user's data directory of this package, see https://specifications.freedesktop.org/basedir-spec/latest/."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "agentops-otel"


def store_video(video: object, session_id: str, config: Configuration) -> str | None:
    """The URL of a video: a URL as it is, a local file after it was copied.

    None, after a warning, when it cannot be had.
    """
    text = shown(video, MAX_LENGTH)
    if not text:
        return None
    try:
        if urlsplit(text).scheme in _REMOTE:
            return text
        source = _path(text)
        if not source.is_file():
            logger.warning("video %.200r is not a URL and not a file; it is not recorded", text)
            return None
        return _copied(source, session_id, config.artifact_store)
    except Exception as error:
        logger.warning("video %.200r cannot be stored: %.200s", text, error)
        return None


def _path(text: str) -> Path:
    """The path that a `file://` URL, or a path itself, names."""
    return Path(unquote(urlsplit(text).path) if text.startswith("file://") else text)


def _copied(source: Path, session_id: str, store: str | None) -> str:
    if store is not None and "://" in store and not store.startswith("file://"):
        return _uploaded(source, f"{store.rstrip('/')}/{session_id}/{source.name}")
    folder = _path(store).expanduser() if store else data_directory() / "artifacts"
    target = folder.resolve() / session_id / source.name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target)
    target.chmod(0o600)
    return target.as_uri()


def _uploaded(source: Path, url: str) -> str:
    try:
        import fsspec
    except ImportError:
        raise RuntimeError(
            f"an artifact store such as {url.partition('://')[0]}:// needs fsspec: pip install fsspec"
        ) from None
    with source.open("rb") as original, fsspec.open(url, "wb") as copy:
        shutil.copyfileobj(original, copy)
    return url
