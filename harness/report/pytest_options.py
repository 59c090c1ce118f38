# SPDX-License-Identifier: GPL-2.0-or-later
"""From pytest's options to what the session runs on.  UsageError says what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.model.behaviour import Finalize, LateWrites
from harness.report.artefacts import session_folder
from harness.report.pytest_target import TargetSession
from harness.targets.kinds import KINDS, kind_of
from harness.targets.spec import MAX_CPUS, TargetSpec

EXPECT_KEYS: Mapping[str, tuple[str, ...]] = {
    "accessors": ("true", "false", "probed"),
    "finalize": tuple(each.value for each in Finalize),
    "late_writes": (*(each.value for each in LateWrites), "any"),
    "irs": ("true", "false", "probed"),
}


def target_session(config: pytest.Config) -> TargetSession:
    """The session that the options ask for; nothing is provisioned yet."""
    kinds = dict(KINDS)
    for more in config.hook.pytest_gicv5_targets():
        kinds.update(more)
    kind = config.getoption("gicv5_target")
    name = kind_of(kind)
    if name not in kinds:
        raise pytest.UsageError(f"--target={kind}: no such target; one of: {', '.join(kinds)}")
    if name != kind and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError(f"-n with --target={kind}: a board serves one process at a time")
    cpus = config.getoption("gicv5_cpus")
    if cpus not in [str(n) for n in range(1, MAX_CPUS + 1)]:
        raise pytest.UsageError(f"--host-cpus={cpus}: the GICv5 platform has 1 to {MAX_CPUS} CPUs")
    overrides = _expect(config.getoption("gicv5_expect"))
    folder = session_folder(Path(config.getoption("gicv5_results")).absolute())
    if worker := getattr(config, "workerinput", None):
        folder = Path(worker["gicv5_folder"])
    images = config.getoption("gicv5_images")
    boards = config.getoption("gicv5_boards")
    spec = TargetSpec(
        kind, config.getoption("gicv5_kernel"), config.getoption("gicv5_qemu"),
        Path(images) if images else None, int(cpus), config.getoption("gicv5_kernel_args"),
        _trace_folder(config, folder), boards=Path(boards) if boards else None,
    )  # fmt: skip
    kselftests = (config.getoption("gicv5_kselftest") or "").split(",")
    if any(kselftests) and kind != "qemu":
        raise pytest.UsageError(f"--kselftest with --target={kind}: only on hosts in QEMU")
    if any(kselftests) and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("-n with --kselftest: subtests are not known before they run")
    return TargetSession(
        config, spec, kinds[name], overrides, folder, kselftests=list(filter(None, kselftests))
    )


def _trace_folder(config: pytest.Config, folder: Path) -> Path | None:
    """Each xdist worker has hosts of its own, so a folder of its own for their traces."""
    if not config.getoption("gicv5_trace"):
        return None
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    return folder / "trace" / worker if worker else folder / "trace"


def _expect(given: list[str]) -> dict[str, str]:
    """``KEY=VALUE`` options, checked."""
    out = {}
    for text in given:
        key, _, value = text.partition("=")
        if key not in EXPECT_KEYS:
            raise pytest.UsageError(f"--expect={text}: KEY is one of: {', '.join(EXPECT_KEYS)}")
        if value not in EXPECT_KEYS[key]:
            raise pytest.UsageError(f"--expect={text}: {key} is {' or '.join(EXPECT_KEYS[key])}")
        out[key] = value
    return out
