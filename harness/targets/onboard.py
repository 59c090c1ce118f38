# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done on a board by its shell: any POSIX sh, and the tools that busybox has, too."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from typing import Final

from harness.errors import TransportError
from harness.targets import pstore
from harness.targets.link import Link, Refused

ARCHITECTURE: Final = "aarch64"
PREFIX: Final = "gicv5-"
KERNEL_LOG_LINES: Final = 4000

# key=value, a line each; what the shell cannot say stays empty.
_FACTS: Final = (
    r"""
say() { echo "fact:$1=$2"; }
say arch "$(uname -m)"
say release "$(uname -r)"
say version "$(uname -v)"
say host "$(uname -n)"
say uid "$(id -u)"
say user "$(id -un 2>/dev/null)"
say boot "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
say model "$(tr -d '\0' 2>/dev/null </proc/device-tree/model)"
say cmdline "$(cat /proc/cmdline 2>/dev/null)"
say time "$(date +%s)"
say panic "$(cat /sys/module/kernel/parameters/panic 2>/dev/null)"
"""
    f'say pstore "$({pstore.BACKEND})"'
    r"""
say runtime "$XDG_RUNTIME_DIR"
say home "$HOME"
if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then say kvm yes
elif [ -e /dev/kvm ]; then say kvm denied; else say kvm absent; fi
[ -r /dev/kmsg ] && say kmsg yes
sudo -n true 2>/dev/null && say sudo yes
true
"""
)

_INSTALL: Final = r"""
umask 077; d={folder}
[ -d "$d" ] && {sudo}sh -c 'for p in /proc/[0-9]*; do case "$(readlink $p/exe)" in
    "$0"/agent*) kill -9 "${{p#/proc/}}";; esac; done' "$d"
mkdir -p "$d" && [ -O "$d" ] || {{ echo "$d is not ours"; exit 3; }}
cat >"$d/agent.new" || exit 4
[ "$(wc -c <"$d/agent.new")" -eq {size} ] || {{ echo "$(wc -c <"$d/agent.new") of {size} bytes"; exit 4; }}
if command -v sha256sum >/dev/null; then
    echo "{sha}  $d/agent.new" | sha256sum -c >/dev/null || {{ echo damaged; exit 5; }}; fi
chmod 700 "$d/agent.new" && mv "$d/agent.new" "$d/agent" || exit 4
"$d/agent" --version
"""  # noqa: E501

# The trap removes the folder however the agent ends; the shell outlives the agent for that.
_START: Final = (
    "d={folder}; trap 'rm -rf \"$d\"' EXIT; trap 'exit 1' HUP INT TERM; \"$d/agent\" {options}"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a board's shell says of it.  ``kvm``: yes, denied or absent, for the user himself."""

    arch: str = ""
    release: str = ""
    version: str = ""
    host: str = ""
    uid: str = ""
    user: str = ""
    boot: str = ""  # changes with every boot
    model: str = ""
    cmdline: str = ""
    time: str = ""  # seconds since 1970
    panic: str = ""  # seconds until a kernel that panicked resets the board; 0: never
    pstore: str = ""  # what keeps its last words
    runtime: str = ""
    home: str = ""
    kvm: str = ""
    kmsg: str = ""
    sudo: str = ""

    @property
    def root(self) -> bool:
        return self.uid == "0"

    @property
    def resets(self) -> bool:
        """A kernel that panicked resets the board by itself."""
        return self.panic not in ("", "0")

    @property
    def keeps_log(self) -> bool:
        """Memory that survives a reset keeps what the kernel says (harness.targets.pstore)."""
        return pstore.kept(self.pstore)


def facts(link: Link, timeout: float) -> Facts:
    """Ask.  TransportError if the answer is none."""
    done = link.execute(_FACTS, timeout)
    lines = [text.partition("fact:")[2] for text in done.text.splitlines() if "fact:" in text]
    found = {key: value.strip() for key, _, value in (line.partition("=") for line in lines)}
    known = {key: value for key, value in found.items() if key in Facts.__dataclass_fields__}
    if not known.get("arch"):
        raise TransportError(
            f"{link.name}: the shell there does not answer as a POSIX shell: {done.text[:200]!r}",
            "the login must lead to sh, bash, dash or busybox",
        )
    return Facts(**known)


def check_architecture(link: Link, board: Facts) -> None:
    """Refused if it is no board at all: before anything is asked for or copied there."""
    if board.arch != ARCHITECTURE:
        raise Refused(
            f"{link.name} is {board.arch}, not {ARCHITECTURE}",
            "the harness is for arm64 hosts with GICv5: is this the right board?",
        )


def privilege(board: Facts, sudo_allowed: bool) -> str:
    """What a command needs in front of it to be root: "" or "sudo -n ".

    Without either the user must at least be allowed to use KVM.  Refused says what to do.
    """
    if board.root:
        return ""
    if board.sudo and sudo_allowed:
        return "sudo -n "
    if board.kvm == "denied":
        raise Refused(
            f"the user {board.user} on {board.host} may not use /dev/kvm, and `sudo -n` is refused",
            f"log in as root, or there: usermod -aG kvm {board.user} (or a udev rule), or a sudoers"
            " line with NOPASSWD",
        )
    return ""


def install(
    link: Link, board: Facts, agent: bytes, sudo: str, *, folder: str | None, timeout: float
) -> str:
    """Copy the agent, and see that it runs; the folder it is in, named by its content.

    An agent that an earlier session left behind is ended.  Refused says why none of the folders
    will do.
    """
    sha = hashlib.sha256(agent).hexdigest()
    places = [folder] if folder else ["/tmp", board.runtime, "/var/tmp", board.home]
    failures = []
    for place in dict.fromkeys(p for p in places if p):
        path = f"{place.rstrip('/')}/{PREFIX}{sha[:16]}"
        script = _INSTALL.format(folder=shlex.quote(path), size=len(agent), sha=sha, sudo=sudo)
        done = link.execute(script, timeout, agent)
        if done.status == 0:
            return path
        said = " ".join(done.text.split()) or f"exit status {done.status}"
        failures.append(f"{place}: {said}")
        remove(link, path, sudo, timeout)
    raise Refused(
        f"{link.name}: no folder for the agent ({len(agent) >> 10} KiB): {'; '.join(failures)}",
        "free some space there, or name a folder with `folder:` in the boards file (not noexec)",
    )


def start_command(path: str, sudo: str, options: str) -> str:
    """The command line that runs the agent and removes its folder in the end."""
    return f"{sudo}sh -c {shlex.quote(_START.format(folder=shlex.quote(path), options=options))}"


def remove(link: Link, path: str, sudo: str, timeout: float) -> None:
    """Leave nothing behind, also when the agent was root and we are not."""
    link.execute(f"{sudo}rm -rf {shlex.quote(path)}", timeout)


def kernel_log(link: Link, sudo: str, timeout: float) -> str:
    """The kernel log since boot, as far as it is still there; "" if it may not be read."""
    done = link.execute(f"{sudo}dmesg 2>/dev/null || {sudo}cat /var/log/dmesg 2>/dev/null", timeout)
    return done.text if done.status == 0 else ""


def state_dump(link: Link, sudo: str, timeout: float) -> str:
    """Blocked tasks and the CPUs' backtraces, through sysrq; the log they are in."""
    ask = "for k in w l; do echo $k >/proc/sysrq-trigger; done"
    link.execute(f"{sudo}sh -c {shlex.quote(ask)}", timeout)
    return kernel_log(link, sudo, timeout)
