# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards: how a lab's own hosts are reached, powered and shared.  docs/boards.md explains the keys.

They stand below ``boards:`` in a file of their own or in images.yaml.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import ConfigError
from harness.provision.images import ExpectEntry, explain_errors
from harness.provision.yaml_lines import Document, load_document

DEFAULT_FILE: Final = "boards.yaml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SshEntry(_Section):
    """``host`` is a name as ssh(1) takes it: ~/.ssh/config says the rest, these keys override it.

    ``password_env``: the environment variable that holds the password, if there must be one.
    """

    host: str
    user: str | None = None
    port: int | None = None
    key: str | None = None
    password_env: str | None = None
    config: str = "~/.ssh/config"
    known_hosts: str | None = None


class Step(_Section):
    """One line of a dialogue: wait for the regular expression, then send the text and a return.

    ``enter`` False: no return.  A boot loader that is stopped by a key would take it for a command.
    ``send`` may hold ``$NAME`` of the environment: a password does not belong into a file.
    """

    expect: str
    send: str = ""
    enter: bool = True
    timeout: float | None = None  # seconds; else deadlines.boot


class SerialEntry(_Section):
    """``url`` as pyserial takes it: /dev/ttyUSB0, socket://host:port, rfc2217://host:port.

    ``boot`` leads from power-on to a login prompt (a boot loader), ``login`` from there to a shell
    whose prompt the last step has seen.
    """

    url: str
    baud: int = 115200
    boot: list[Step] = Field(default_factory=list)
    login: list[Step] = Field(default_factory=list)


class PowerEntry(_Section):
    """Shell commands of this machine."""

    on: str | None = None
    off: str | None = None
    cycle: str | None = None
    pause: float = 1.0  # seconds between off and on, if there is no cycle

    @model_validator(mode="before")
    @classmethod
    def _words(cls, data: object) -> object:
        """``on`` and ``off`` are truth values to YAML 1.1."""
        names = {True: "on", False: "off"}
        if not isinstance(data, dict):
            return data
        return {names[k] if isinstance(k, bool) else k: v for k, v in data.items()}

    @model_validator(mode="after")
    def _enough(self) -> PowerEntry:
        if not self.cycle and not (self.on and self.off):
            raise ValueError("give cycle, or on and off")
        return self


class Deadlines(_Section):
    """Seconds.  ``silence``: beyond a program's own deadline.  ``session``: of a whole run."""

    boot: float = 180.0
    command: float = 30.0
    silence: float = 15.0
    session: float = 86400.0


class LockEntry(_Section):
    """``file``: of all users of this machine.  ``wait``: seconds for another's end.

    ``labgrid``: the place that a lab's coordinator gives out, acquired beside the file.
    """

    file: str | None = None
    wait: float = 0.0
    labgrid: str | None = None


class LoadEntry(_Section):
    """Where a board's boot loader finds what it boots."""

    kernel: str


class BoardEntry(_Section):
    """One board: ``ssh`` or ``serial``; ``console``: a serial line that is read, beside SSH.

    ``load``: ``kernel: PATH`` is where the Image of --kernel NAME is put on this machine (a TFTP or
    NFS folder) before the board is powered on; ``boot`` tells its boot loader to take it.
    """

    ssh: SshEntry | None = None
    serial: SerialEntry | None = None
    console: SerialEntry | None = None
    power: PowerEntry | None = None
    load: LoadEntry | None = None
    folder: str | None = None  # on the board, for the agent
    sudo: bool = True  # where the user is not root and sudo asks for nothing
    deadlines: Deadlines = Deadlines()
    slowdown: float = Field(default=1.0, ge=1.0)
    lock: LockEntry = LockEntry()
    expect: ExpectEntry = ExpectEntry()
    note: str = ""

    @model_validator(mode="after")
    def _one_transport(self) -> BoardEntry:
        if (self.ssh is None) == (self.serial is None):
            raise ValueError("give exactly one of ssh, serial")
        if self.serial and self.console:
            raise ValueError("console goes with ssh; a serial board's line is its console")
        if self.load and self.power is None:
            raise ValueError("load needs power: a new kernel runs after the next power-on")
        return self


class _BoardsFile(_Section):
    boards: dict[str, BoardEntry] = Field(min_length=1)


def load_boards(path: Path) -> dict[str, BoardEntry]:
    """The boards of a file.  In an images.yaml the other sections are not looked at.

    ConfigError names file, line and key.
    """
    document = load_document(path)
    if isinstance(document.data, dict) and "kernels" in document.data:
        boards = {k: v for k, v in document.data.items() if k == "boards"}
        document = Document(path, boards, document.lines)
    try:
        return _BoardsFile.model_validate(document.data).boards
    except ValidationError as error:
        what = explain_errors(document, error, _BoardsFile)
        raise ConfigError(what, f"correct {path.name}; docs/boards.md has the keys") from None


def find_board(name: str, path: Path | None) -> BoardEntry:
    """The board called ``name`` in ``path`` (default: boards.yaml here)."""
    file = path or Path(DEFAULT_FILE)
    if path is None and not file.exists():
        raise ConfigError(
            f"--target=board:{name}: no {DEFAULT_FILE} in this folder",
            "name the lab's file with --boards FILE; docs/boards.md has an example",
        )
    boards = load_boards(file)
    if name not in boards:
        close = difflib.get_close_matches(name, boards, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"no board {name!r} in {file}{hint}", f"use one of: {', '.join(boards)}")
    return boards[name]
