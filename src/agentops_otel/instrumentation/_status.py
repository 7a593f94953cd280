"""What becomes of the calls of each SDK that is known: is it installed, is it patched, how many calls were seen."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Final

from . import _span
from ._known import Known, known
from ._patch import PATCHES, WAITING, Patch
from ._wrapped import LIVE

PATCHED: Final = "patched"
PARTLY_PATCHED: Final = "partly patched"
UNTESTED: Final = "untested version"
NOT_INSTALLED: Final = "not installed"
OFF: Final = "off"
FAILED: Final = "failed"


@dataclass(frozen=True)
class Status:
    """One SDK.

    Attributes:
        name: what `instrument()` calls it.
        package: its distribution.
        version: the installed one; None when there is none.
        tested: the versions that are tested, such as `>=0.4.4,<1`; others are tried.
        state: `patched`, `partly patched`, `untested version` (which is patched), `waiting for import`,
            `not installed`, `off` or `failed`.
        reason: why it has failed; empty else.
        targets: what is wrapped: `live`, `absent in this release` or `replaced by somebody else`.
        calls: how many were recorded by this process.
    """

    name: str
    package: str
    version: str | None
    tested: str
    state: str
    reason: str
    targets: dict[str, str]
    calls: int


def status() -> list[Status]:
    """The SDKs that are known, by name. No SDK is imported for it."""
    return [_of(each) for _, each in sorted(known().items())]


def _of(each: Known) -> Status:
    patch = PATCHES.get(each.name) or Patch(each)
    package, tested, reason = each.package, "", patch.failure
    try:
        integration = patch.load()
        package, tested = integration.package, integration.supported
    except Exception as error:
        reason = reason or f"{type(error).__name__}: {str(error)[:200]}"
    version = installed(package)
    targets = {} if patch.is_waiting else patch.targets()
    state = _state(patch, targets, reason, version, tested)
    if state == FAILED and not reason:
        reason = "nothing of what is wrapped is in this release"
    return Status(each.name, package, version, tested, state, reason, targets, _span.begun.get(each.name, 0))


def _state(patch: Patch, targets: dict[str, str], reason: str, version: str | None, tested: str) -> str:
    if reason:
        return FAILED
    if not targets:
        return NOT_INSTALLED if version is None else WAITING if patch.active else OFF
    live = [state == LIVE for state in targets.values()]
    if not any(live):
        return FAILED
    if not all(live):
        return PARTLY_PATCHED
    return PATCHED if version is None or is_tested(version, tested) else UNTESTED


def installed(package: str) -> str | None:
    """The version of a distribution; None when it is not installed."""
    try:
        return metadata.version(package) if package else None
    except metadata.PackageNotFoundError:
        return None


def is_tested(version: str, tested: str) -> bool:
    """Whether a version is one of those that are tested."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # only whoever asks needs it
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(tested).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False
