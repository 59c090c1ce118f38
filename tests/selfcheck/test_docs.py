# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documentation tells people to type, typed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from doc_commands import (
    COMMENT,
    FILES,
    ROOT,
    Block,
    all_blocks,
    allowed_codes,
    elsewhere,
    shortened,
)  # fmt: skip
from history import history

from harness import ppi, program
from harness.model import Model
from harness.provision import Provisioner, default_images, load_images
from harness.suite import shapes

BLOCKS = all_blocks()
KINDS = ("quick", "kernel", "long", "no", "python")
LIMIT = {"quick": 60, "kernel": 300, "long": 3600}


def of(*kinds: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind in kinds]


def run(command: str, instead: Mapping[str, str], timeout: float) -> None:
    """In the project's folder, with its environment active, as people have it."""
    for placeholder, real in instead.items():
        command = command.replace(placeholder, real)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip
    said = f"{command}\nexit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert done.returncode in allowed_codes(command), said
    assert "Traceback" not in done.stderr, said


@pytest.fixture(scope="module")
def instead(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What stands for the reader's own files."""
    folder = tmp_path_factory.mktemp("docs")
    (ROOT / "build").mkdir(exist_ok=True)
    image = Provisioner(load_images(default_images())).kernel("stock").image
    job = json.loads((ROOT / "docs/ci/kernelci-job.json").read_text())
    job["artifacts"]["kernel"] = str(image)
    (folder / "job.json").write_text(json.dumps(job))
    shutil.copy(ROOT / "docs/programs/leak.program", folder / "a.program")
    (folder / "System.map").write_text("ffff800080000000 T _text\n")
    names = {
        "docs/ci/kernelci-job.json": folder / "job.json",
        "FILE.program": folder / "a.program",
        "hardware-trace.bin": ROOT / "tests/unit/golden/hardware-trace.bin",
        "System.map": folder / "System.map",
        "gicv5-results": folder / "results",
    }
    return {name: str(path) for name, path in names.items()}


@pytest.fixture(scope="module")
def with_tree(instead: dict[str, str]) -> dict[str, str]:
    """And for their kernel tree, and what else they have."""
    provisioner = Provisioner(load_images(default_images()))
    image = provisioner.kernel("masked").image
    tree = str(history().tree)
    folder = Path(instead["FILE.program"]).parent
    return {
        **instead, "~/linux/arch/arm64/boot/Image": str(image), "~/linux": tree,
        "KERNEL": "masked", "-o reproduce": f"-o {folder}/reproduce",
        "-o qemu-x5": f"-o {folder}/qemu-x5", "--html out": f"--html {folder}/out",
        "--stress-plugin=FILE": f"--stress-plugin={provisioner.plugin().path}",
    }  # fmt: skip


@pytest.mark.parametrize("block", of("quick", "kernel"), ids=str)
def test_commands(block: Block, instead: dict[str, str]) -> None:
    for command in block.commands:
        if "export" in command and "gicv5-results" not in command:
            command += " gicv5-results"  # noqa: PLW2901 (the default is the reader's own)
        if command.startswith("pytest"):
            command += " --results gicv5-results -p no:cacheprovider"  # noqa: PLW2901
        run(command, instead, LIMIT[block.kind])


@pytest.fixture(scope="module")
def executed() -> set[str]:
    """The commands that an earlier block had, too."""
    return set()


@pytest.mark.long
@pytest.mark.parametrize("block", of("long"), ids=str)
def test_long_commands(block: Block, with_tree: dict[str, str], executed: set[str]) -> None:
    for command in map(shortened, block.commands):
        if not elsewhere(command) and command not in executed:
            executed.add(command)
            run(command, with_tree, LIMIT[block.kind])


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python(block: Block) -> None:
    names = {**vars(ppi), **vars(program), **vars(shapes)}
    made = eval(block.commands[0], names)
    assert Model().run(made).results


def test_every_exception_has_a_reason() -> None:
    assert [str(block) for block in of("no") if not block.why] == []
    said = [
        f"{file}: {line}" for file in FILES for line in (ROOT / file).read_text().splitlines()
        if line.startswith("<!-- test") and not COMMENT.match(line)
    ]  # fmt: skip
    assert said == []
    assert {block.kind for block in BLOCKS} <= set(KINDS)
    assert len(of("quick", "kernel")) >= 5


def test_ci_runs_what_the_readme_says() -> None:
    assert "./gicv5 test" in (ROOT / ".ci/run").read_text()
