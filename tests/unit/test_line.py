# SPDX-License-Identifier: GPL-2.0-or-later
"""The serial line's protocol, the harness's side against the agent's own C, over a bad line."""

from __future__ import annotations

import ctypes
import random
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.targets.arq import DLE, RS, US, Kind, Line, Splitter, packet, unstuffed

ROOT = Path(__file__).parents[2]
SESSION = 7
PATIENCE = 0.4
CHUNK = 4096
KILLED, BROKEN, IDLE, ROOM = 1, 2, 4, 8

Damage = Callable[[bytes, random.Random], bytes]


class Agent:
    """guest/arq.c."""

    def __init__(self, lib: ctypes.CDLL) -> None:
        self._lib = lib
        self._arq = lib.shim_new(SESSION, int(PATIENCE * 1000))
        self.pending = b""

    def _bytes(self, call: str, *args: object) -> bytes:
        size = ctypes.c_size_t()
        return ctypes.string_at(
            getattr(self._lib, call)(self._arq, *args, ctypes.byref(size)), size.value
        )

    def receive(self, data: bytes, now: float) -> bytes:
        return self._bytes("shim_receive", data, len(data), int(now * 1000))

    def output(self, now: float) -> bytes:
        while self.pending and self.state & ROOM:
            self._lib.arq_send(self._arq, self.pending[:CHUNK], len(self.pending[:CHUNK]))
            self.pending = self.pending[CHUNK:]
        return self._bytes("shim_output", int(now * 1000))

    def finish(self) -> None:
        self._lib.arq_finish(self._arq)

    @property
    def state(self) -> int:
        return int(self._lib.shim_state(self._arq))


@pytest.fixture(scope="session")
def lib(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    out = tmp_path_factory.mktemp("line") / "line.so"
    sources = [ROOT / "tests/unit/arq_shim.c", ROOT / "guest/arq.c", ROOT / "guest/deflate.c"]
    subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
         f"-I{ROOT / 'guest'}", f"-I{out.parent}", "-o", str(out), *map(str, sources)],
        check=True,
        env={"PATH": "/usr/bin:/bin", "CPATH": _header(out.parent)},
    )  # fmt: skip
    loaded = ctypes.CDLL(str(out))
    loaded.shim_new.restype = ctypes.c_void_p
    for name in ("shim_receive", "shim_output"):
        getattr(loaded, name).restype = ctypes.c_void_p
    loaded.shim_receive.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_void_p,
    ]  # fmt: skip
    loaded.shim_output.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p]
    loaded.shim_state.argtypes = loaded.arq_finish.argtypes = [ctypes.c_void_p]
    loaded.arq_send.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    return loaded


def _header(folder: Path) -> str:
    from harness.wire_header import c_header  # noqa: PLC0415

    (folder / "wire.h").write_text(c_header())
    return str(folder)


def converse(
    lib: ctypes.CDLL, down: bytes, up: bytes, damage: Damage, seed: int
) -> tuple[bytes, bytes, str, Line]:
    """Send ``down`` to the agent and ``up`` from it, over a line that ``damage`` spoils."""
    rng = random.Random(seed)
    ours, agent = Line(SESSION, PATIENCE, spoken=True), Agent(lib)
    ours.send(down)
    agent.pending = up
    got_down, got_up, text, now = b"", b"", b"", 0.0
    while now < 600 and (len(got_down) < len(down) or len(got_up) < len(up)):
        now += 0.01
        got_down += agent.receive(damage(ours.output(now), rng), now)
        stream, said = ours.receive(damage(agent.output(now), rng), now)
        got_up += stream
        text += said
        assert not agent.state & BROKEN
    return got_down, got_up, text.decode(errors="replace"), ours


def clean(data: bytes, _rng: random.Random) -> bytes:
    return data


def corrupt(data: bytes, rng: random.Random) -> bytes:
    return bytes(b ^ 1 << rng.randrange(8) if rng.random() < 0.002 else b for b in data)


def drop(data: bytes, rng: random.Random) -> bytes:
    return bytes(b for b in data if rng.random() > 0.002)


def talk(data: bytes, rng: random.Random) -> bytes:
    """A kernel that prints in the middle of everything."""
    if rng.random() < 0.3:
        at = rng.randrange(len(data) + 1)
        return data[:at] + b"[   12.345678] noisy: line %d\r\n" % rng.randrange(1000) + data[at:]
    return data


def sample(seed: int) -> bytes:
    """As programs and traces are: mostly zeros, much of it again; and some that is not."""
    rng = random.Random(seed)
    parts = [bytes(rng.choice((0, 0, 0, 1, 0xC6, rng.randrange(256))) for _ in range(32))
             for _ in range(8)]  # fmt: skip
    return b"".join(rng.choice(parts) for _ in range(2000)) + rng.randbytes(5000)


@pytest.mark.parametrize("damage", [clean, corrupt, drop, talk])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_arrives_in_order_over_any_line(
    lib: ctypes.CDLL, damage: Damage, seed: int
) -> None:
    down, up = sample(seed), sample(seed + 100)
    got_down, got_up, text, ours = converse(lib, down, up, damage, seed)
    assert (got_down, got_up) == (down, up)
    assert (ours.resent > 0) == (damage is not clean)
    if damage is clean:
        assert text == ""


def test_a_repetitive_stream_becomes_small(lib: ctypes.CDLL) -> None:
    agent, data = Agent(lib), sample(5)[:64000]
    agent.pending = data
    sent, now, ours = 0, 0.0, Line(SESSION, PATIENCE, spoken=True)
    while agent.pending or not agent.state & IDLE:
        now += 0.01
        out = agent.output(now)
        sent += len(out)
        ours.receive(out, now)
        agent.receive(ours.output(now), now)
    assert sent < len(data) / 10
    assert sent < 2 * len(zlib.compress(data, 9)), "near what zlib itself makes of it"


def test_every_byte_survives_and_control_characters_do_not_show() -> None:
    body = bytes(range(200))
    line = packet(Kind.DATA, SESSION, 1, 2, body)
    assert {RS, US, 0x0A, 0x0D, 0x11, 0x13} & set(line[1:-1]) == set()
    bodies, text = Splitter().feed(b"login: " + line + b"more\n")
    assert bodies[0] is not None
    assert bodies[0][6:] == body
    assert text == b"login: more\n"


def test_a_kernel_message_inside_a_packet_is_console_text() -> None:
    line = packet(Kind.DATA, SESSION, 1, 2, b"abcdefgh" * 9)
    noise = b"[   12.345678] noisy: line\r\n"
    bodies, text = Splitter().feed(line[:30] + noise + line[30:] + line)
    assert bodies[0] is None
    assert bodies[1] is not None
    assert noise in text


@pytest.mark.parametrize("at", [3, 9, 12])
def test_a_damaged_packet_is_none(at: int) -> None:
    inside = bytearray(packet(Kind.DATA, SESSION, 1, 2, b"abcdef")[1:-1])
    assert unstuffed(inside)
    inside[at] ^= 0x20
    assert unstuffed(inside) is None
    assert unstuffed(inside[:at]) is None
    assert unstuffed(bytes((DLE,))) is None


def test_a_kill_ends_the_agent_of_any_session_and_other_packets_are_not_its(
    lib: ctypes.CDLL,
) -> None:
    agent, other = Agent(lib), Line(SESSION + 1, PATIENCE, spoken=True)
    other.send(b"for somebody else")
    assert agent.receive(other.output(0), 0) == b""
    assert not agent.state & KILLED
    agent.receive(b"noise\x1ejunk" + other.kill(), 0)
    assert agent.state & KILLED


def test_the_end_of_the_stream_arrives(lib: ctypes.CDLL) -> None:
    agent, ours = Agent(lib), Line(SESSION, PATIENCE)
    agent.pending = b"last words"
    out = agent.output(0)
    agent.finish()
    stream, _ = ours.receive(out + agent.output(0.1), 0.1)
    assert (stream, ours.finished) == (b"last words", True)
    agent.receive(ours.output(0.2), 0.2)
    assert agent.state & IDLE


def test_nothing_is_said_before_the_agent_has_spoken(lib: ctypes.CDLL) -> None:
    agent, ours = Agent(lib), Line(SESSION, PATIENCE)
    ours.send(b"to a shell this would be a command")
    assert ours.output(10) == b""
    agent.pending = b"hello"
    ours.receive(agent.output(11), 11)
    assert agent.receive(ours.output(11), 11) == b"to a shell this would be a command"
