# SPDX-License-Identifier: GPL-2.0-or-later
"""Where an operation of the model pauses, so that others may come in between."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Protocol


class Interruptible(Protocol):
    """A guest that runs: an interrupt of the host makes it exit and enter again."""

    def exit(self) -> None: ...

    def enter(self) -> None: ...

    @property
    def unseen(self) -> bool:
        """Whether that would show the guest something new."""
        ...


@dataclass(frozen=True, slots=True)
class Touch:
    """The state that a step may read, by name, and what of it the step may write."""

    names: frozenset[Hashable] = field(default=frozenset())
    writes: frozenset[Hashable] = field(default=frozenset())

    @staticmethod
    def of(reads: Iterable[Hashable] = (), writes: Iterable[Hashable] = ()) -> Touch:
        written = frozenset(writes)
        return Touch(written.union(reads), written)

    def __or__(self, other: Touch) -> Touch:
        return Touch(self.names | other.names, self.writes | other.writes)

    def conflicts(self, other: Touch) -> bool:
        """Whether the order of the two can matter."""
        return not (self.writes.isdisjoint(other.names) and other.writes.isdisjoint(self.names))


NOTHING = Touch()


@dataclass(frozen=True, slots=True, eq=False)
class Pause:
    """Before an atomic step.

    ``what``: the step, for people.  ``now``: what it touches.  ``later``: what it and the rest of
    the operation touch; None: all that the operation ever touches.  ``wait``: the step is not
    possible before this is true.  ``give_up``: what the supervisor does to a guest that waits when
    nobody can do anything any more.  ``guest``: it runs, so an interrupt of the host may make it
    exit and enter here.
    """

    what: str
    now: Touch
    later: Touch | None = None
    wait: Callable[[], bool] | None = None
    give_up: Callable[[], None] | None = None
    guest: Interruptible | None = None
