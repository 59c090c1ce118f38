# SPDX-License-Identifier: GPL-2.0-or-later
"""Parallel sections in generated programs: reaching into them, and making them smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from harness import program as p

Ops = tuple[p.Op, ...]


def is_racy(ops: Iterable[p.Op]) -> bool:
    """Whether the same operations may show something else the next time."""
    return any(isinstance(op, p.Parallel) for op in ops)


def leaves(ops: Ops) -> Iterator[tuple[p.Op, Callable[[p.Op], Ops]]]:
    """Each operation that has no others in it, with what puts another one in its place."""
    for index, op in enumerate(ops):
        if not isinstance(op, p.Parallel):
            yield op, lambda new, index=index: put(ops, index, new)  # type: ignore[misc]
            continue
        for number, branch in enumerate(op.branches):
            for at, inner in enumerate(branch.ops):

                def inside(
                    new: p.Op, index: int = index, section: p.Parallel = op, number: int = number,
                    at: int = at,
                ) -> Ops:  # fmt: skip
                    assert isinstance(new, p.BranchOp)
                    inner_ops = section.branches[number].ops
                    changed = (*inner_ops[:at], new, *inner_ops[at + 1 :])
                    return put(ops, index, with_branch(section, number, changed))

                yield inner, inside


def mapped(ops: Iterable[p.Op], change: Callable[[p.Op], p.Op | None]) -> Ops:
    """Each operation changed, wherever it stands, or left out if the change is None.

    A branch keeps its place; a section in which nothing is left goes.
    """
    out: list[p.Op] = []
    for op in ops:
        if not isinstance(op, p.Parallel):
            new = change(op)
            out += [] if new is None else [new]
            continue
        branches = tuple(
            replace(branch, ops=tuple(
                new for inner in branch.ops
                if (new := change(inner)) is not None and isinstance(new, p.BranchOp)
            ))
            for branch in op.branches
        )  # fmt: skip
        if any(branch.ops for branch in branches):
            out.append(p.Parallel(branches))
    return tuple(out)


def smaller_sections(ops: Ops) -> Iterator[Ops]:
    """Branches one after the other, without a branch, without operations of one; shorter delays."""
    for index, op in enumerate(ops):
        if not isinstance(op, p.Parallel):
            continue
        before, after = ops[:index], ops[index + 1 :]
        yield (*before, *(inner for branch in op.branches for inner in branch.ops), *after)
        yield (*before, *(inner for b in reversed(op.branches) for inner in b.ops), *after)
        if len(op.branches) > 1:
            for number in reversed(range(len(op.branches))):
                kept = op.branches[:number] + op.branches[number + 1 :]
                yield put(ops, index, p.Parallel(kept))
        for number, branch in enumerate(op.branches):
            for at in reversed(range(len(branch.ops))):
                inner = branch.ops[at]
                without = branch.ops[:at] + branch.ops[at + 1 :]
                yield put(ops, index, with_branch(op, number, without))
                if len(branch.ops) > 1:  # at another time: before, or after all branches
                    moved = with_branch(op, number, without)
                    yield (*before, inner, moved, *after)
                    yield (*before, moved, inner, *after)
                if isinstance(inner, p.Delay) and inner.ns > 1:
                    shorter = p.Delay(inner.ns // 2)
                    changed = (*branch.ops[:at], shorter, *branch.ops[at + 1 :])
                    yield put(ops, index, with_branch(op, number, changed))


def with_branch(section: p.Parallel, number: int, ops: tuple[p.BranchOp, ...]) -> p.Parallel:
    branch = replace(section.branches[number], ops=ops)
    return p.Parallel((*section.branches[:number], branch, *section.branches[number + 1 :]))


def put(ops: Ops, index: int, op: p.Op) -> Ops:
    return (*ops[:index], op, *ops[index + 1 :])
