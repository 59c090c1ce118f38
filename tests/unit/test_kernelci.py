# SPDX-License-Identifier: GPL-2.0-or-later
"""A job in KernelCI's form: what is understood, and what comes out."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from test_results import RESULTS

from harness.cli import main
from harness.errors import ConfigError, ProvisionError, TargetError
from harness.nightly.kernelci import fetch, incomplete, job_options, kernel_of, result_of

NODE = {
    "id": "6", "kind": "job", "name": "gicv5", "state": "available", "path": ["checkout", "gicv5"],
    "artifacts": {"kernel": "Image"}, "data": {"arch": "arm64", "gicv5": {"host_cpus": 2}},
}  # fmt: skip


def test_a_result_is_the_node_with_children() -> None:
    found = result_of(NODE, RESULTS)
    assert found["node"]["result"] == "fail"
    assert found["node"]["state"] == "done"
    assert found["node"]["id"] == "6"
    assert found["node"]["data"]["arch"] == "arm64"
    assert found["node"]["data"]["gicv5_result"]["provenance"]["qemu"] == "11.1.3"
    results = {
        f"{family['node']['name']}/{child['node']['name']}": child["node"]["result"]
        for family in found["child_nodes"] for child in family["child_nodes"]
    }  # fmt: skip
    assert results == {
        "order/first": "pass", "order/second-first": "fail", "plain/crash": "fail",
        "plain/skip": "skip", "plain/error": "incomplete", "fuzz/generated": "pass",
    }  # fmt: skip


def test_what_is_ours_is_incomplete_not_a_failure() -> None:
    found = incomplete(NODE, TargetError("the host did not boot"))
    assert found["node"]["result"] == "incomplete"
    assert found["node"]["data"]["error_msg"] == "the host did not boot"


@pytest.mark.parametrize(
    ("data", "said"),
    [({"host_cpus": 9}, "host_cpus"), ({"expects": {}}, "expects"), ({"suites": "x"}, "suites")],
)
def test_a_mistake_in_the_options_is_named(data: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        job_options({"data": {"gicv5": data}})


def test_where_the_kernel_is() -> None:
    assert kernel_of(NODE) == "Image"
    assert kernel_of({"data": {"artifacts": {"kernel": "u"}}}) == "u"
    with pytest.raises(ConfigError, match=r"artifacts\.kernel"):
        kernel_of({"data": None})
    with pytest.raises(ConfigError, match="scheme"):
        fetch("ftp://x/Image", Path(), Path())


def test_a_kernel_by_url(tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(b"kernel")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        to = tmp_path / "to"
        to.mkdir()
        assert fetch(f"{base}/Image", Path(), to).read_bytes() == b"kernel"
        with pytest.raises(ProvisionError, match="404"):
            fetch(f"{base}/gone", Path(), to)
        server.shutdown()


def test_a_job_that_cannot_be_done_has_a_result(tmp_path: Path) -> None:
    job, out = tmp_path / "job.json", tmp_path / "result.json"
    job.write_text(json.dumps({**NODE, "artifacts": {"kernel": "missing"}}))
    code = main(["kernelci", str(job), "-o", str(out), f"--results={tmp_path}"])
    assert code == 4
    assert json.loads(out.read_text())["node"]["result"] == "incomplete"
    job.write_text("nonsense")
    assert main(["kernelci", str(job)]) == 4
