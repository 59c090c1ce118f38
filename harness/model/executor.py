# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference model as an executor of programs: what a correct target's trace looks like."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from harness import program as p
from harness.model.behaviour import Behaviour, HostFacts
from harness.model.execution import Execution
from harness.model.interleave import MAX_STATES, interleavings
from harness.model.refusals import NotModelled, TimeDependent
from harness.trace import Result, Trace

DEFAULT_BEHAVIOUR: Final = Behaviour()
DEFAULT_HOST: Final = HostFacts()


@dataclass(frozen=True, slots=True)
class Allowed:
    """One trace that the model allows, and the order of steps that leads to it.

    ``order``: what happened where branches of parallel sections had a choice, for people.
    """

    trace: Trace
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """Executes programs as a kernel of this behaviour does, on such a host.  Keeps no state.

    ValueError if a program's trace cannot be known: it is time-dependent, or outside the model.
    """

    behaviour: Behaviour = DEFAULT_BEHAVIOUR
    host: HostFacts = DEFAULT_HOST

    def run(self, program: p.Program) -> Trace:
        """The trace; of a program with parallel sections, one of those that are allowed."""
        return self.allowed(program)[0].trace

    def allowed(self, program: p.Program) -> tuple[Allowed, ...]:
        """Every trace that a right kernel may show: one, unless branches race."""
        worlds = Worlds(self.behaviour, self.host)
        for index, op in enumerate(program.ops):
            try:
                worlds.execute(op)
            except TimeDependent as e:
                raise TimeDependent(f"{program.name} is time-dependent at op {index}: {e}") from e
            except NotModelled as e:
                raise NotModelled(f"{program.name} is outside the model at op {index}: {e}") from e
        return worlds.allowed()


@dataclass(slots=True)
class World:
    """One state that the host may be in, and how it came there."""

    execution: Execution
    results: tuple[Result, ...] = ()
    order: tuple[str, ...] = ()


class Worlds:
    """All states that the host may be in, while a program is executed: one, until branches race."""

    def __init__(self, behaviour: Behaviour, host: HostFacts) -> None:
        self._worlds = [World(Execution(behaviour, host))]

    def execute(self, op: p.Op) -> None:
        if not isinstance(op, p.Parallel):
            for world in self._worlds:
                world.results += tuple(world.execution.execute(op))
            return
        after: dict[Hashable, World] = {}
        for world in self._worlds:
            for end in interleavings(world.execution, op):
                results = world.results + end.results
                key = (results, end.execution.key())
                after.setdefault(key, World(end.execution, results, world.order + end.order))
        if len(after) > MAX_STATES:
            raise NotModelled(f"more than {MAX_STATES} outcomes of parallel sections")
        self._worlds = list(after.values())

    def allowed(self) -> tuple[Allowed, ...]:
        found: dict[tuple[Result, ...], Allowed] = {}
        for world in self._worlds:
            found.setdefault(world.results, Allowed(Trace(world.results), world.order))
        return tuple(found.values())
