# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways to a board through a lab's other machines, with real servers on this one."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from board_gateway import Gateway, TerminalServer
from board_lab import Lab, opened

from harness.bench import ONE_VM
from harness.targets.link import Refused, Unreachable
from harness.trace import Ending


@pytest.fixture(scope="module")
def gateway(lab: Lab) -> Iterator[Gateway]:
    running = Gateway(lab.user_key)
    yield running
    running.close()


def through(lab: Lab, gateway: Gateway, port: int | None = None) -> dict[str, str]:
    """The ``ssh`` section of the board behind the gateway; an ssh_config says how to get there."""
    section = dict(lab.ssh())
    config = Path(section["config"])
    known = Path(section["known_hosts"])
    public = gateway.host_key.with_suffix(".pub").read_text()
    known.write_text(f"{known.read_text()}\n[127.0.0.1]:{gateway.port} {public}")
    config.write_text(
        f"{config.read_text()}  ProxyJump the-gateway\n"
        f"Host the-gateway\n  HostName 127.0.0.1\n  Port {port or gateway.port}\n"
        f"  User builder\n  IdentityFile {lab.user_key}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {known}\n"
    )
    return section


def test_a_board_behind_a_jump_host(lab: Lab, gateway: Gateway) -> None:
    before = gateway.log().count("Accepted publickey for builder")
    with opened(lab.target(ssh=through(lab, gateway))) as host:
        assert host.run(ONE_VM).ending is Ending.COMPLETED
    assert gateway.log().count("Accepted publickey for builder") == before + 1


def test_a_jump_host_that_is_down_is_named(lab: Lab, gateway: Gateway) -> None:
    with pytest.raises(Unreachable, match=r"the-gateway .* does not answer"):
        lab.target(power=False, ssh=through(lab, gateway, port=1))


@pytest.mark.skipif(platform.machine() == "aarch64", reason="this machine is what is wanted")
def test_a_host_of_another_architecture_is_refused(lab: Lab, gateway: Gateway) -> None:
    section = {**through(lab, gateway), "host": "the-gateway"}
    with pytest.raises(Refused, match=f"the-gateway is {platform.machine()}, not aarch64"):
        lab.target(power=False, ssh=section)


def test_a_board_behind_a_terminal_server(lab: Lab) -> None:
    with (
        closing(TerminalServer(lab.rack.ports.console)) as server,
        opened(lab.target(serial={**lab.serial(), "url": server.url})) as host,
    ):
        assert host.run(ONE_VM).ending is Ending.COMPLETED
    assert server.baud == 1_500_000
