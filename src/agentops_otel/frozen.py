"""Data classes that nothing changes, and that are made by the million.

`dataclasses` lets a frozen class fill its fields through `object.__setattr__`, which for a row of fifty fields takes
four times as long as to assign them. Here ``frozen=True`` is a promise that the type checker holds everybody to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses

    def dataclass(*, frozen: bool, slots: bool) -> Any:
        """As `dataclasses.dataclass`, and not frozen at run time; it can be hashed all the same."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen)
