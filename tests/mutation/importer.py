# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants instead of functions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mutants import Key, of_mutant
from mutmut.mutation import trampoline


class Importer(MetaPathFinder):
    """Imports the mutated modules, and remembers each function with its mutants.

    With ``chosen``, that mutant is what is called, from the first import on.
    """

    def __init__(self, codes: Mapping[str, CodeType], chosen: str = "") -> None:
        self.codes, self.chosen = codes, chosen
        self.functions: dict[Key, tuple[FunctionType, dict[str, Any]]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        code = self.codes.get(name)
        spec = PathFinder.find_spec(name, path, target) if code else None
        if code and spec and spec.origin:
            spec.loader = Compiled(name, spec.origin, code)
        return spec

    def mutated(
        self, mutants: dict[str, Any], is_classmethod: bool = False
    ) -> Callable[[FunctionType], Callable[..., object]]:
        """In the place of mutmut's decorator.  ``mutants`` is filled after the function is made."""

        def decorate(function: FunctionType) -> Callable[..., object]:
            owner, _, name = function.__qualname__.rpartition(".")
            key = function.__module__, f"xǁ{owner}ǁ{name}" if owner else f"x_{name}"
            self.functions[key] = function, mutants
            if not self.chosen or of_mutant(self.chosen) != key:
                return function

            @wraps(function)
            def instead(*args: object, **kwargs: object) -> object:
                return plain(mutants[self.chosen.rpartition(".")[2]])(*args, **kwargs)

            return instead

        return decorate

    def install(self) -> None:
        sys.meta_path.insert(0, self)
        trampoline.wrap_in_trampoline = self.mutated  # type: ignore[assignment]

    def swap(self, mutant: str) -> None:
        """From now on the function is the mutant, by whatever name it was imported."""
        function, mutants = self.functions[of_mutant(mutant)]
        other = plain(mutants[mutant.rpartition(".")[2]])
        function.__code__ = other.__code__
        function.__defaults__, function.__kwdefaults__ = other.__defaults__, other.__kwdefaults__


class Compiled(SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self.code = code

    def get_code(self, fullname: str) -> CodeType:
        return self.code


def plain(function: Any) -> FunctionType:
    """A classmethod's own function."""
    found: FunctionType = getattr(function, "__func__", function)
    return found
