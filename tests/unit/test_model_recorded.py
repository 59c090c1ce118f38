# SPDX-License-Identifier: GPL-2.0-or-later
"""The model says of the suite's programs what kernels did when this was last recorded.

Programs that are new or have changed since are passed over.  To record again:

    python tests/selfcheck/record_traces.py
"""

from __future__ import annotations

import pytest
import recorded

from harness.model import HostFacts, Model
from harness.suite import families, programs

FAMILIES = [family.name for family in families()]


def same_programs(kernel: str) -> dict[str, str]:
    """The trace digests of the programs that are still as they were."""
    known = recorded.read(kernel)
    return {
        name: known[name][1]
        for name, program in programs().items()
        if name in known and known[name][0] == recorded.program_digest(program)
    }


@pytest.mark.parametrize("kernel", recorded.KERNELS)
def test_most_of_the_suite_is_recorded(kernel: str) -> None:
    """If not, record again: what is not recorded is not compared."""
    for_released = [p for p in programs().values() if p.family not in ("irs", "spi", "ist")]
    assert len(same_programs(kernel)) > (0.3 if kernel == "stock" else 0.8) * len(for_released)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kernel", recorded.KERNELS)
def test_the_model_agrees_with_what_was_recorded(kernel: str, family: str) -> None:
    model = Model(recorded.KERNELS[kernel], HostFacts())
    for name, digest in same_programs(kernel).items():
        if programs()[name].family == family:
            assert recorded.trace_digest(model.run(programs()[name])) == digest, name
