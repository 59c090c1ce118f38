# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/ci: valid by the schemas of GitHub and GitLab and by actionlint; their commands are ours."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli import make_parser
from harness.nightly.kernelci import job_options, kernel_of
from harness.nightly.plan import plan
from harness.provision import load_images

CI = Path(__file__).parents[2] / "docs" / "ci"
SCHEMAS = {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}


def scripts(value: Any) -> list[str]:
    """Every command of a definition: what stands under run, script, after_script."""
    if isinstance(value, list):
        return [line for each in value for line in scripts(each)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, inner in value.items():
        if key in ("run", "script", "after_script"):
            lines = [inner] if isinstance(inner, str) else inner
            found += [line for text in lines for line in text.splitlines()]
        else:
            found += scripts(inner)
    return found


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_definitions_are_valid(name: str, schema: str) -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(CI / name)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def actionlint(path: Path) -> subprocess.CompletedProcess[str]:
    argv = [str(Path(sys.executable).with_name("actionlint")), str(path)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_actionlint_has_nothing_to_say(tmp_path: Path) -> None:
    """It knows what no schema says: expressions, runners, actions whose time is over."""
    done = actionlint(CI / "github-actions.yml")
    assert done.returncode == 0, done.stdout
    bad = tmp_path / "bad.yml"
    bad.write_text((CI / "github-actions.yml").read_text().replace("hashFiles(", "hashFils("))
    assert 'undefined function "hashFils"' in actionlint(bad).stdout


@pytest.mark.parametrize("name", SCHEMAS)
def test_their_commands_exist(name: str) -> None:
    commands = [line for line in scripts(yaml.safe_load((CI / name).read_text())) if line.strip()]
    assert commands
    for command in commands:
        program, *argv = shlex.split(command)
        assert program == "./gicv5"
        assert make_parser(argv).parse_args(argv).command


def test_the_job_of_kernelci_is_one() -> None:
    job = json.loads((CI / "kernelci-job.json").read_text())
    assert kernel_of(job) == "Image"
    assert job_options(job).suites == ["pmu"]


def test_the_example_of_a_matrix() -> None:
    variants = plan(load_images(CI / "images-mine.yaml"), "20261122", ())
    assert len(variants) == 7
