# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 kernelci``: one job in KernelCI's form, JSON in, results out.

In: the job's node as KernelCI's API has it; ``artifacts.kernel`` (of the node, or of its ``data``)
is the Image: a URL or a path.  ``data.gicv5`` may have ``expect``, ``host_cpus`` and ``suites``.
Out: ``{"node": ..., "child_nodes": [...]}``, one child per family and below it one per program.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError, HarnessError, ProvisionError
from harness.provision.paths import project_root
from harness.report.verdict import Verdict
from harness.results.formats import load
from harness.results.model import KERNELS_FAULT, Case, Results, exit_code

FETCH_SECONDS: Final = 120
_RESULT: Final = {
    Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.CRASH: "fail", Verdict.SKIP: "skip",
    Verdict.ERROR: "incomplete",
}  # fmt: skip


class Options(BaseModel):
    """``data.gicv5`` of a job."""

    model_config = ConfigDict(extra="forbid")
    expect: dict[str, str] = Field(default_factory=dict)
    host_cpus: int = Field(default=1, ge=1, le=8)
    suites: list[str] = Field(default_factory=list)


def kernelci_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", type=Path, metavar="JOB.json", help="the job's node")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")
    parser.add_argument("--results", type=Path, default=Path("gicv5-results"), metavar="DIR",
                        help="where the artefacts go (gicv5-results)")  # fmt: skip


def command_kernelci(options: argparse.Namespace) -> int:
    """The exit code is that of the suite.  A result is written whatever happens after the job was
    understood: ``incomplete`` if something of ours failed."""
    node = read_job(options.job)
    wanted, kernel = job_options(node), kernel_of(node)
    try:
        with tempfile.TemporaryDirectory(prefix="gicv5-kernelci.") as folder:
            image = fetch(kernel, options.job.parent, Path(folder))
            results = _run(image, wanted, options.results)
        found, code = result_of(node, results), exit_code(c.verdict for c in results.cases)
    except HarnessError as e:
        found, code = incomplete(node, e), e.exit_code
    text = json.dumps(found, indent=1) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text)
    return code


def read_job(path: Path) -> dict[str, Any]:
    try:
        node = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise ConfigError(f"{path}: {e}", "give the JSON of a KernelCI job node") from None
    if not isinstance(node, dict):
        raise ConfigError(f"{path}: not a JSON object", "give the JSON of a KernelCI job node")
    return node


def kernel_of(node: Mapping[str, Any]) -> str:
    """Where the Image is."""
    for holder in (node, node.get("data") or {}):
        kernel = (holder.get("artifacts") or {}).get("kernel")
        if isinstance(kernel, str):
            return kernel
    raise ConfigError("the job has no artifacts.kernel", "give the URL or path of an arm64 Image")


def job_options(node: Mapping[str, Any]) -> Options:
    try:
        return Options.model_validate((node.get("data") or {}).get("gicv5") or {})
    except ValidationError as e:
        said = "; ".join(
            f"data.gicv5.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in e.errors()
        )
        raise ConfigError(said, "allowed: expect, host_cpus, suites") from None


def fetch(kernel: str, base: Path, folder: Path) -> Path:
    """A file: that of a path (relative to the job's), or a copy of what the URL has."""
    parts = urllib.parse.urlsplit(kernel)
    if parts.scheme in ("", "file"):
        return (base / urllib.parse.unquote(parts.path)).resolve()
    if parts.scheme not in ("http", "https"):
        raise ConfigError(f"artifacts.kernel: {kernel}: unknown scheme", "use https, or a path")
    image = folder / "Image"
    try:
        with (
            urllib.request.urlopen(kernel, timeout=FETCH_SECONDS) as reply,
            image.open("wb") as out,
        ):
            shutil.copyfileobj(reply, out)
    except (OSError, urllib.error.URLError) as e:
        raise ProvisionError(f"cannot fetch {kernel}: {e}", "is it still there?") from None
    return image


def _run(image: Path, wanted: Options, results: Path) -> Results:
    programs = str(project_root() / "tests" / "target" / "test_programs.py")
    where = [f"{programs}::{suite}" for suite in wanted.suites] or [programs]
    folder = Path(tempfile.mkdtemp(prefix="kernelci-", dir=_made(results)))
    argv = [sys.executable, "-m", "pytest", "--target=qemu", f"--kernel={image}", "-q",
            f"--host-cpus={wanted.host_cpus}", f"--results={folder}", "-p", "no:cacheprovider",
            *(f"--expect={k}={v}" for k, v in wanted.expect.items()), *where]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        return load(folder)
    except ConfigError:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        error = HarnessError(f"no verdict: {' | '.join(lines[-3:])}")
        error.exit_code = done.returncode or 6
        raise error from None


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def result_of(node: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """The job's node with its result, and its children."""
    families = results.families()
    return {
        "node": _done(node, _overall(results.cases), {
            "provenance": dict(results.provenance), "seconds": results.seconds,
        }),
        "child_nodes": [
            {
                "node": _child(family, _overall(cases), ""),
                "child_nodes": [
                    {"node": _child(c.name, _RESULT[c.verdict], c.message), "child_nodes": []}
                    for c in cases
                ],
            }
            for family, cases in families.items()
        ],
    }  # fmt: skip


def incomplete(node: Mapping[str, Any], error: HarnessError) -> dict[str, Any]:
    """The job could not be done, and that is not the kernel's fault."""
    data = {"error_code": "Infrastructure", "error_msg": error.what}
    return {"node": _done(node, "incomplete", data), "child_nodes": []}


def _done(node: Mapping[str, Any], result: str, data: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: data[key] for key in data if key.startswith("error_")}
    ours = {"gicv5_result": {key: data[key] for key in data if key not in told}}
    return {
        **node, "state": "done", "result": result,
        "data": {**(node.get("data") or {}), **told, **ours},
    }  # fmt: skip


def _child(name: str, result: str, message: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "test", "name": name, "state": "done", "result": result}
    return {**found, "data": {"error_msg": message}} if message and result != "pass" else found


def _overall(cases: Sequence[Case]) -> str:
    verdicts = {case.verdict for case in cases}
    if verdicts & KERNELS_FAULT:
        return "fail"
    if Verdict.ERROR in verdicts:
        return "incomplete"
    return "pass" if Verdict.PASS in verdicts else "skip"
