# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards over SSH, as ~/.ssh/config says."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import paramiko

from harness.boards import SshEntry
from harness.errors import ConfigError, TransportError
from harness.targets.base import CommandOutput
from harness.targets.channel import Stream
from harness.targets.link import Refused, Unreachable

KEEPALIVE_SECONDS: Final = 15
MAX_JUMPS: Final = 8
_CHUNK: Final = 1 << 15
_EVERYBODYS_KEYS: Final = "/etc/ssh/ssh_known_hosts"


class SshLink:
    """One connection.  See ``link.Link``."""

    def __init__(self, entry: SshEntry, timeout: float) -> None:
        """Connect.  Unreachable or Refused say why not; ConfigError if the host has no address."""
        self.name = entry.host
        self._program: paramiko.Channel | None = None
        self._clients: list[paramiko.SSHClient] = []
        # Its errors reach us as exceptions; what its threads log besides would be printed.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        try:
            self._transport = self._connect(entry, timeout, 0)
        except BaseException:
            self.close()
            raise
        self._transport.set_keepalive(KEEPALIVE_SECONDS)

    def execute(self, command: str, timeout: float, data: bytes = b"") -> CommandOutput:
        until = time.monotonic() + timeout
        with self._broken(f"command {command.split(maxsplit=1)[0]!r}"):
            channel = self._transport.open_session(timeout=timeout)
            try:
                channel.settimeout(timeout)
                channel.set_combine_stderr(True)
                channel.exec_command(command)
                with suppress(OSError):  # who does not read its input closes it
                    channel.sendall(data)
                    channel.shutdown_write()
                text = bytearray()
                while chunk := channel.recv(_CHUNK):
                    text += chunk
                    channel.settimeout(max(until - time.monotonic(), 0.001))
                if not channel.status_event.wait(max(until - time.monotonic(), 0.001)):
                    raise TimeoutError
                status = channel.recv_exit_status()
            finally:
                channel.close()
        if status < 0 and not self._transport.is_active():
            raise TransportError("the SSH connection broke while a command ran")
        return CommandOutput(status, text.decode(errors="replace"))

    def start(self, command: str) -> Stream:
        with self._broken("the agent's start"):
            self._program = self._transport.open_session(timeout=30)
            self._program.exec_command(command)
        return self._program

    def alive(self, timeout: float) -> bool:
        try:
            return self.execute("true", timeout).status == 0
        except TransportError:
            return False

    def ended(self) -> bool:
        program = self._program  # -1 is what a broken connection leaves
        return bool(program and program.exit_status_ready() and program.recv_exit_status() >= 0)

    def last_words(self) -> str:
        program, said = self._program, ""
        if program is None:
            return said
        program.settimeout(0.2)
        with suppress(OSError):
            while chunk := program.recv_stderr(_CHUNK):
                said += chunk.decode(errors="replace")
        said = "; ".join(line.strip() for line in said.splitlines() if line.strip())
        if self.ended():
            said = f"exit status {program.recv_exit_status()}" + (f": {said}" if said else "")
        return said

    def close(self) -> None:
        for client in reversed(self._clients):
            client.close()

    @contextmanager
    def _broken(self, what: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise TransportError(f"{self.name}: {what} did not end in time") from None
        except (paramiko.SSHException, OSError, EOFError) as e:
            raise TransportError(f"{self.name}: the SSH connection broke: {e}") from None

    def _connect(self, entry: SshEntry, timeout: float, depth: int) -> paramiko.Transport:
        options = _options(entry)
        host, port = str(options["hostname"]), int(options.get("port", 22))
        name = entry.host if host == entry.host else f"{entry.host} ({host})"
        name += f" port {port}" if port != 22 else ""
        client = paramiko.SSHClient()
        for file in options["userknownhostsfile"].split():
            _load_keys(client, Path(file).expanduser())
        _load_keys(client, Path(_EVERYBODYS_KEYS))
        if options.get("stricthostkeychecking") == "no":
            client.set_missing_host_key_policy(_TakeAny())
        else:
            client.set_missing_host_key_policy(_Unknown(name))
        password = os.environ.get(entry.password_env) if entry.password_env else None
        if entry.password_env and password is None:
            raise ConfigError(
                f"{name}: the environment has no {entry.password_env} (its password_env)",
                f"export {entry.password_env}",
            )
        keys = [str(Path(p).expanduser()) for p in options.get("identityfile", [])]
        only = options.get("identitiesonly", "no") == "yes" or password is not None
        with _explained(name, str(options.get("user")), options):
            sock = self._way(options, host, port, timeout, depth)
            client.connect(
                host, port, username=options.get("user"), password=password, sock=sock,
                key_filename=keys,  # type: ignore[arg-type]  # a list will do
                allow_agent=not only, look_for_keys=not only, timeout=timeout,
                banner_timeout=timeout, auth_timeout=timeout,
            )  # fmt: skip
            transport = client.get_transport()
            assert transport is not None
        self._clients.append(client)
        return transport

    def _way(
        self, options: Mapping[str, Any], host: str, port: int, timeout: float, depth: int
    ) -> Any:
        """A connected socket to the host: its own, a proxy command's, or through jump hosts."""
        jumps = str(options.get("proxyjump", "none"))
        if jumps.lower() != "none":
            *before, last = jumps.split(",")
            if depth + len(before) >= MAX_JUMPS:
                raise ConfigError(f"{host}: ProxyJump goes in a circle: {jumps}", "see ssh_config")
            hop = _hop(last, ",".join(before), str(options["config"]))
            return self._connect(hop, timeout, depth + 1).open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout
            )
        if command := options.get("proxycommand"):
            return paramiko.ProxyCommand(str(command))
        sock = socket.create_connection((host, port), timeout)
        # A program and its answer are small: without this they wait for each other's ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def _hop(text: str, before: str, config: str) -> SshEntry:
    """A jump host: [user@]host[:port]; ``before`` are the jumps that lead to it."""
    user, _, place = text.strip().rpartition("@")
    host, _, port = place.partition(":")
    return _Hop(
        host=host, user=user or None, port=int(port) if port else None, config=config, jump=before
    )


class _Hop(SshEntry):
    jump: str = ""


def _options(entry: SshEntry) -> dict[str, Any]:
    """ssh_config's words for this host, in lower case, with the entry's own on top."""
    path = Path(entry.config).expanduser()
    try:
        config = paramiko.SSHConfig.from_path(str(path)) if path.exists() else paramiko.SSHConfig()
        options: dict[str, Any] = dict(config.lookup(entry.host))
    except paramiko.ConfigParseError as e:
        raise ConfigError(f"{path}: {e}", f"correct {path}; ssh -G {entry.host} reads it") from None
    options.setdefault("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2")
    options["config"] = entry.config
    given = {
        "user": entry.user,
        "port": entry.port,
        "userknownhostsfile": entry.known_hosts,
        "identityfile": [entry.key] if entry.key else None,
        "proxyjump": entry.jump or None if isinstance(entry, _Hop) else None,
    }
    options |= {key: value for key, value in given.items() if value is not None}
    return options


def _load_keys(client: paramiko.SSHClient, file: Path) -> None:
    with suppress(OSError):
        client.load_system_host_keys(str(file))


class _TakeAny(paramiko.MissingHostKeyPolicy):
    """``StrictHostKeyChecking no``, which a lab may want for boards that are always new."""

    def missing_host_key(self, _client: Any, _hostname: str, _key: paramiko.PKey) -> None:
        return


class _Unknown(paramiko.MissingHostKeyPolicy):
    """Strict: a host that known_hosts does not know is not talked to."""

    def __init__(self, name: str) -> None:
        self._name = name

    def missing_host_key(self, _client: Any, _hostname: str, key: paramiko.PKey) -> None:
        raise Refused(
            f"{self._name}: its host key is not in known_hosts ({key.get_name()} "
            f"{key.fingerprint})",
            f"connect once by hand and compare the fingerprint: ssh {self._name.split()[0]}",
        )


@contextmanager
def _explained(name: str, user: str, options: Mapping[str, Any]) -> Iterator[None]:
    """paramiko's and the system's errors as ours."""
    try:
        yield
    except paramiko.BadHostKeyException as e:
        host = e.hostname
        raise Refused(
            f"{name}: the host key CHANGED: it shows {e.key.get_name()} {e.key.fingerprint}, "
            f"known_hosts has {e.expected_key.fingerprint}",
            "if the board was installed anew, remove the old key "
            f"(ssh-keygen -f {options['userknownhostsfile'].split()[0]} -R '{host}') and connect "
            "once by hand; if not, somebody else answers at this address",
        ) from None
    except paramiko.PasswordRequiredException as e:
        raise Refused(f"{name}: {e}", "add the key to your ssh-agent: ssh-add") from None
    except paramiko.AuthenticationException as e:
        tried = [*options.get("identityfile", []), "your agent's keys"]
        raise Refused(
            f"{name}: login as {user or 'you'} refused: {str(e).rstrip('.')} (tried: "
            f"{', '.join(map(str, tried))}, or the password if password_env names one)",
            f"see that `ssh {name.split(maxsplit=1)[0]} true` works without a question",
        ) from None
    except socket.gaierror as e:
        raise ConfigError(
            f"{name}: no such host: {e.strerror}", "give a name of ~/.ssh/config or of the network"
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as e:
        said = str(e) or type(e).__name__
        raise Unreachable(
            f"{name} does not answer: {said}", "is it on, is its network up, does sshd run there?"
        ) from None
