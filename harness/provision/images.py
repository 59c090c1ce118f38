# SPDX-License-Identifier: GPL-2.0-or-later
"""images.yaml: which QEMU and which kernels.  A mistake is reported with file, line and key."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from harness.errors import ConfigError
from harness.provision.yaml_lines import Document, Location, load_document

Finalize = Literal["per-vcpu", "first-created"]
LateWrites = Literal["refused", "exposed"]

KERNEL_KINDS = ("package", "source", "tree", "image")
_FILE_LISTS = ("fragments", "patches")  # of kernels that are built; `like` adds to them


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ExpectEntry(_Section):
    """What this kernel should do, as far as the file says."""

    accessors: bool | None = None
    finalize: Finalize | None = None
    late_writes: LateWrites | None = None
    irs: bool | None = None


class KernelEntry(_Section):
    """One kernel: exactly one of package, source, tree, image, or like (a variant of another).

    ``fragments``: more configuration, after ``config``.  ``memory``: MiB of a host with it.
    ``slowdown``: by which deadlines are multiplied.
    ``optional``: the archive may not have it yet; then it is passed over.
    """

    package: str | None = None
    source: str | None = None
    tree: str | None = None
    image: str | None = None
    like: str | None = None
    modules: list[str] = Field(default_factory=list)
    modules_package: str | None = None
    config: str | None = None
    fragments: list[str] = Field(default_factory=list)
    patches: list[str] = Field(default_factory=list)
    selftests: str | None = None
    cmdline: str = ""
    memory: int = Field(default=144, ge=128)
    slowdown: int = Field(default=1, ge=1)
    optional: bool = False
    expect: ExpectEntry = ExpectEntry()
    note: str = ""

    @property
    def kind(self) -> str:
        """Which of KERNEL_KINDS this entry is (``like`` before it was resolved)."""
        return next(k for k in (*KERNEL_KINDS, "like") if getattr(self, k) is not None)

    @model_validator(mode="after")
    def _one_kind(self) -> KernelEntry:
        given = [k for k in (*KERNEL_KINDS, "like") if getattr(self, k) is not None]
        if len(given) != 1:
            said = " and ".join(given) if given else "none"
            raise ValueError(f"give exactly one of {', '.join(KERNEL_KINDS)}, like (there: {said})")
        kind = given[0]
        for key, kinds in (
            ("modules", ("package",)),
            ("modules_package", ("package",)),
            ("config", ("source", "tree")),
            ("fragments", ("source", "tree", "like")),
            ("patches", ("source", "tree", "like")),
            ("selftests", ("package", "image")),
            ("optional", ("package", "source")),
        ):
            if getattr(self, key) and kind not in kinds:
                raise ValueError(f"{key} goes with {' or '.join(kinds)}, not with {kind}")
        if self.modules and not self.modules_package:
            raise ValueError("modules needs modules_package (the package that carries them)")
        return self


class QemuEntry(_Section):
    """One QEMU: an executable (path), or a Debian package to unpack into the cache."""

    path: str | None = None
    package: str | None = None
    suite: str | None = None
    version: str = "*"
    program: str = "qemu-system-aarch64"
    note: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> QemuEntry:
        if (self.path is None) == (self.package is None):
            raise ValueError("give exactly one of path, package")
        if self.package is None and (self.suite is not None or self.version != "*"):
            raise ValueError("suite and version go with package, not with path")
        return self


class QemuSection(_Section):
    """The QEMUs by name; ``default`` is an order: the first one that is good enough is used."""

    min_version: str = Field(pattern=r"^\d+(\.\d+)*$")
    default: list[str] = Field(min_length=1)
    named: dict[str, QemuEntry]


class AptSection(_Section):
    """Where packages come from.  Without ``mirror`` it is the one this machine itself uses."""

    suites: list[str] = Field(min_length=1)
    components: list[str] = Field(default_factory=lambda: ["main"], min_length=1)
    mirror: str | None = None


HostCpus = Annotated[int, Field(ge=1, le=8)]


class NightlyEntry(_Section):
    """A block of the matrix: every kernel with every QEMU, host CPU count and suite.

    ``suites``: ``all``, families, ``fuzz``.  ``seeds``: of fuzz: words, or how many new ones.
    ``on_request``: only in nights that ask for this name.
    """

    kernels: list[str] = Field(min_length=1)
    qemu: list[str] = Field(default_factory=list)
    host_cpus: list[HostCpus] = Field(default_factory=lambda: [1], min_length=1)
    suites: list[str] = Field(default_factory=lambda: ["all"], min_length=1)
    fuzz_seconds: float = Field(default=30.0, gt=0, strict=False)
    seeds: int | list[str] = 1
    on_request: str = ""


class NightlySection(_Section):
    """What `gicv5 nightly` runs.  ``timeout``: seconds for one variant."""

    timeout: int = Field(default=900, gt=0)
    matrix: list[NightlyEntry] = Field(default_factory=list)


class Images(_Section):
    """The whole file.

    ``run`` is what `gicv5 run` checks by default, in order; its first that is there is the default
    kernel.
    ``config`` configures kernels that are built and do not name a configuration of their own.
    """

    apt: AptSection
    qemu: QemuSection
    config: str
    run: list[str] = Field(min_length=1)
    kernels: dict[str, KernelEntry] = Field(min_length=1)
    boards: dict[str, Any] = Field(default_factory=dict)  # harness/boards.py reads them
    nightly: NightlySection = NightlySection()
    _document: Document = PrivateAttr()

    @property
    def path(self) -> Path:
        """The file that this was read from."""
        return self._document.path

    def where(self, *location: str | int) -> str:
        """``file:line: dotted.key`` for an error about what stands there."""
        return self._document.where(location)

    def kernel(self, name: str) -> KernelEntry:
        """The entry called ``name``, with ``like`` replaced by what it stands for."""
        entry = self.kernels.get(name)
        if entry is None:
            raise ConfigError(
                *_unknown(f"no kernel {name!r} in {self.path.name}", name, self.kernels)
            )
        if entry.like is None:
            return entry
        base = self.kernel(entry.like)
        expect = base.expect.model_copy(update=entry.expect.model_dump(exclude_unset=True))
        update = {
            "cmdline": f"{base.cmdline} {entry.cmdline}".strip(),
            "expect": expect,
            "note": entry.note or base.note,
            "fragments": base.fragments + entry.fragments,
            "patches": base.patches + entry.patches,
            **entry.model_dump(include={"memory", "slowdown"}, exclude_unset=True),
        }
        return base.model_copy(update=update)

    def origin(self, name: str) -> str:
        """The entry that says what ``name`` is made of: itself, or the end of its ``like``."""
        while (like := self.kernels[name].like) is not None:
            name = like
        return name

    def listed_files(self, name: str, key: str) -> list[Path]:
        """The ``fragments`` or ``patches`` of the kernel ``name``; those of its ``like`` first."""
        entry = self.kernels[name]
        first = self.listed_files(entry.like, key) if entry.like else []
        texts: list[str] = getattr(entry, key)
        return first + [self.file(t, "kernels", name, key, i) for i, t in enumerate(texts)]

    def qemu_entry(self, name: str) -> QemuEntry:
        """The QEMU called ``name``."""
        if name not in self.qemu.named:
            what = f"no QEMU {name!r} in {self.path.name}"
            raise ConfigError(*_unknown(what, name, self.qemu.named))
        return self.qemu.named[name]

    def file(self, text: str, *location: str | int) -> Path:
        """A path written in the file: relative to the file's own folder; it must exist."""
        path = (self.path.parent / Path(text).expanduser()).resolve()
        if not path.exists():
            raise ConfigError(
                f"{self.where(*location)}: no such file: {text}",
                f"give a path relative to {self.path.parent}, or an absolute one",
            )
        return path


def load_images(path: Path) -> Images:
    """Read and check an images.yaml."""
    document = load_document(path)
    try:
        images = Images.model_validate(document.data)
    except ValidationError as error:
        raise _config_error(document, [explain_errors(document, error, Images)]) from None
    images._document = document
    _check_references(images)
    return images


def _unknown(what: str, name: str, known: dict[str, Any]) -> tuple[str, str]:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{what}{hint}", f"use one of: {', '.join(known)}"


def _config_error(document: Document, lines: list[str]) -> ConfigError:
    return ConfigError("\n".join(lines), f"correct {document.path.name}")


def _check_references(images: Images) -> None:
    """Names that other keys use must exist, and ``like`` must lead somewhere."""
    wrong: list[str] = []

    def need(name: str, known: dict[str, Any], *location: str | int) -> bool:
        if name not in known:
            what, allowed = _unknown(
                f"{images.where(*location)}: unknown name {name!r}", name, known
            )
            wrong.append(f"{what}; {allowed}")
        return name in known

    for i, name in enumerate(images.qemu.default):
        need(name, images.qemu.named, "qemu", "default", i)
    for i, name in enumerate(images.run):
        need(name, images.kernels, "run", i)
    if all(name in images.kernels and images.kernels[name].optional for name in images.run):
        where = images.where("run")
        wrong.append(f"{where}: all of these are optional; allowed: at least one that is not")
    for i, block in enumerate(images.nightly.matrix):
        for j, name in enumerate(block.kernels):
            need(name, images.kernels, "nightly", "matrix", i, "kernels", j)
        for j, name in enumerate(block.qemu):
            need(name, images.qemu.named, "nightly", "matrix", i, "qemu", j)
    for name in images.kernels.keys() & images.qemu.named.keys():
        where = images.where("kernels", name)
        wrong.append(f"{where}: a QEMU has this name already; allowed: a name of its own")
    for name, entry in images.kernels.items():
        seen = [name]
        current = entry
        while current.like is not None:
            if not need(current.like, images.kernels, "kernels", seen[-1], "like"):
                break
            if current.like in seen:
                where = images.where("kernels", name, "like")
                wrong.append(
                    f"{where}: goes round in a circle: {' -> '.join([*seen, current.like])}"
                )
                break
            seen.append(current.like)
            current = images.kernels[current.like]
        for key in _FILE_LISTS if current.like is None else ():
            if getattr(entry, key) and current.kind not in ("source", "tree"):
                where = images.where("kernels", name, key)
                wrong.append(f"{where}: goes with source or tree; {seen[-1]} is a {current.kind}")
    if wrong:
        raise _config_error(images._document, list(dict.fromkeys(wrong)))


def _model_at(location: Location, root: type[BaseModel]) -> type[BaseModel] | None:
    """The model whose keys are allowed at a location, to say what they are."""
    steps, at = iter(location), root
    for step in steps:
        field = at.model_fields.get(str(step))
        models = _models_in(field.annotation) if field else []
        if not models:
            return None
        at = models[0]
        if field and get_origin(field.annotation) in (dict, list) and next(steps, None) is None:
            return None  # what stands there is a name, which any text may be
    return at


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation is, holds (dict, list) or allows (X | None)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


_TYPES = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "missing": "is missing",
    "too_short": "must not be empty",
}


def explain_errors(document: Document, error: ValidationError, root: type[BaseModel]) -> str:
    """What is wrong with a file, one line each: file, line, key, what is allowed."""
    return "\n".join(_explain(document, each, root) for each in error.errors())


def _explain(document: Document, error: ErrorDetails, root: type[BaseModel]) -> str:
    location = tuple(step for step in error["loc"] if step != "[key]")
    kind, context, given = error["type"], error.get("ctx", {}), error["input"]
    if kind == "extra_forbidden":
        model = _model_at(location[:-1], root)
        allowed = list(model.model_fields) if model else []
        close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        text = f"unknown key{hint}; allowed: {', '.join(allowed)}"
    elif kind == "literal_error":
        allowed_text = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        text = f"{given!r} is not allowed; allowed: {allowed_text}"
    elif kind == "value_error":
        text = str(context["error"])
    elif kind == "string_pattern_mismatch":
        text = f"{given!r} is not a version; write it like 11.1, in quotes"
    elif kind == "missing":
        text = "is missing"
    else:
        text = f"{_TYPES.get(kind, error['msg'])}, not {given!r}"
        if kind == "string_type" and isinstance(given, int | float):
            text += ": put it in quotes"
    return f"{document.where(location)}: {text}"
