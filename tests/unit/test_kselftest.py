# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite as a kernel selftest: its data, its place in a tree; and judging the kernel's own."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import ConfigError
from harness.kselftest import glue
from harness.kselftest.running import LIMIT_SECONDS, Judged, Ran, judge
from harness.kselftest.tables import SUCCESS, Variant, c_tables, capabilities_h
from harness.model import Model
from harness.model.behaviour import Behaviour, Finalize, HostFacts, LateWrites
from harness.program import (
    Capability,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    InitVcpu,
    PlaceIrs,
    Program,
    init_device,
)
from harness.report.verdict import Expectation, Verdict
from harness.suite import families, programs
from harness.trace import Result, compare
from harness.wire import RECORD, RUN_HEAD, encode_program

DEFAULT = Expectation()
OURS = Path("tools/testing/selftests", glue.TARGET)

# --- the data ---


class Tables:
    """What C reads out of generated tables: of its first program."""

    def __init__(self, text: str) -> None:
        self.text = text
        ops = re.findall(r'^\t\{ \{ ([^}]*) \}, "', self._array("struct op ops"), re.M)
        results = re.findall(r"\{ (.*) \}", self._array("struct result results"))
        self.results = [Result(*map(_number, row.split(", "))) for row in results]
        self.records = b"".join(
            RECORD.pack(*map(_number, ops[int(n)].split(", ")))
            for n in re.findall(r"\d+", self._array("uint16_t ops_0"))
        )
        self.traces = [
            (_number(variants), self._expected(name))
            for variants, name in re.findall(
                r"\{ (\w+), \d+, (\w+) \}", self._array("struct trace_data traces_0")
            )
        ]

    def allowed(self, variant: int) -> set[tuple[Result, ...]]:
        """As judge.c has it: what a trace says, or else the first one, or else a success."""
        count = len(self.records) // RECORD.size
        base = self.traces[0][1]
        return {
            tuple(own.get(record, base.get(record, SUCCESS)) for record in range(count))
            for variants, own in self.traces
            if variants >> variant & 1
        }

    def _expected(self, name: str) -> dict[int, Result]:
        rows = re.findall(r"\{ (\d+), (\d+) \}", self._array(f"struct expectation {name}"))
        return {int(record): self.results[int(result)] for record, result in rows}

    def _array(self, name: str) -> str:
        match = re.search(rf"{re.escape(name)}\[\] = \{{\n(.*?)^\}};", self.text, re.M | re.S)
        return match[1] if match else ""


def _number(word: str) -> int:
    return int(word, 0)


@pytest.mark.parametrize(
    "name",
    ["after-first-run/enabler0", "order/2-vcpus-1-first", "non-v5/pmu-needs-no-vgic",
     "irs/address-highest", "rerun/exposed-state-is-not-set-again",  # this: VHE or not
     "races/inject-while-running-0"],
)  # fmt: skip
def test_every_host_finds_the_traces_that_the_model_has_for_it(name: str) -> None:
    program = programs()[name]
    (case,) = glue.cases([program], DEFAULT)
    tables = Tables(c_tables("x", [case]))
    assert tables.records == encode_program(program, 0)[RUN_HEAD.size :]
    assert case.allowed
    for variant in case.allowed:
        has = Variant(variant)
        late = LateWrites.EXPOSED if Variant.EXPOSED in has else LateWrites.REFUSED
        behaviour = Behaviour(Variant.ACCESSORS in has, Finalize.PER_VCPU, late, Variant.IRS in has)
        facts = HostFacts(pmu=Variant.PMU in has, vhe=Variant.VHE in has)
        model = Model(behaviour, facts).allowed(program)
        assert tables.allowed(variant) == {each.trace.results for each in model}


def test_where_the_model_has_no_answer_there_is_no_trace() -> None:
    """An IRS that is placed after INIT: C skips the program where there is one."""
    vm = (CreateVm(), CreateDevice(), CreateVcpu(), InitVcpu(), init_device(), PlaceIrs())
    (case,) = glue.cases([Program("x/late-irs", vm)], DEFAULT)
    assert case.allowed
    assert not any(Variant.IRS in Variant(variant) for variant in case.allowed)


def test_a_trace_that_is_right_everywhere_is_stored_once() -> None:
    (case,) = glue.cases([programs()["non-v5/second-vcpu"]], DEFAULT)
    assert len(case.allowed) == 32
    assert [variants for variants, _ in Tables(c_tables("x", [case])).traces] == [(1 << 32) - 1]


def test_the_witness_tells_the_two_late_write_behaviours_apart() -> None:
    (case,) = glue.cases([programs()[glue.WITNESS]], DEFAULT)
    for variant, traces in case.allowed.items():
        assert traces != case.allowed[variant ^ Variant.EXPOSED]


@pytest.mark.usefixtures("tree")
def test_what_is_declared_changes_what_is_expected() -> None:
    order = [programs()["order/2-vcpus-1-first"]]
    released = Expectation(finalize=Finalize.FIRST_CREATED, late_writes=LateWrites.REFUSED)
    assert list(glue.cases(order, released)) != list(glue.cases(order, DEFAULT))
    assert "MAY_BE_EXPOSED 0" in glue.files(released)["tests.h"].decode()


def test_c_knows_every_capability_and_variant() -> None:
    header = capabilities_h()
    assert len(set(re.findall(r"#define NEEDS_\w+ (\S+)", header))) == 6
    assert len(set(re.findall(r"#define VARIANT_\w+ (\S+)", header))) == 5


# --- its place in a tree ---


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As much of a kernel tree as is looked at; and two families, so that it is quick."""
    few = tuple(each for each in families() if each.name in ("non-v5", "order"))
    monkeypatch.setattr(glue, "families", lambda: few)
    for name in ("Makefile", "Kconfig", "arch/arm64/Kconfig"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    kvm = tmp_path / "tools/testing/selftests/kvm"
    kvm.mkdir(parents=True)
    (kvm / "Makefile").write_text("# kvm\n")
    return tmp_path


def content(tree: Path) -> dict[str, bytes]:
    return {str(p.relative_to(tree)): p.read_bytes() for p in tree.rglob("*") if p.is_file()}


def test_install_adds_one_folder_and_remove_takes_it_away(tree: Path) -> None:
    before = content(tree)
    assert main(["selftest", "install", str(tree)]) == 0
    after = content(tree)
    assert {name for name in after if not name.startswith(str(OURS))} == set(before)
    assert {f"{OURS}/{name}" for name in ("Makefile", "main.c", "guest/el1/main.c",
            "programs/order.c", "witness.c", "settings")} <= set(after)  # fmt: skip
    (tree / OURS / "order").write_text("built")
    (tree / OURS / "agent/obj").mkdir(parents=True)
    (tree / OURS / "agent/obj/vm.o").write_text("built")
    assert main(["selftest", "install", str(tree)]) == 0, "again: in the place of the first"
    assert content(tree) == after
    assert main(["selftest", "remove", str(tree)]) == 0
    assert content(tree) == before


@pytest.mark.parametrize("action", ["install", "remove"])
def test_what_is_not_a_kernel_tree_is_refused(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["selftest", action, str(tmp_path)]) == ConfigError.exit_code
    assert "not a kernel tree" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("act", [lambda tree: glue.install(tree, DEFAULT), glue.remove])
def test_a_folder_of_someone_else_is_left_alone(tree: Path, act) -> None:  # type: ignore[no-untyped-def]
    (tree / OURS).mkdir()
    (tree / OURS / "notes").write_text("mine")
    with pytest.raises(ConfigError, match="was not put there by gicv5"):
        act(tree)
    assert (tree / OURS / "notes").read_text() == "mine"


@pytest.mark.parametrize("name", ["main.c", "guest/vm.c", "new.c"])
def test_work_of_the_user_in_our_folder_is_not_lost(tree: Path, name: str) -> None:
    glue.install(tree, DEFAULT)
    (tree / OURS / name).write_text("changed")
    with pytest.raises(ConfigError, match=f"has changes of yours: {name}"):
        glue.remove(tree)
    assert (tree / OURS / name).read_text() == "changed"


def test_there_is_nothing_to_remove(tree: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is installed"):
        glue.remove(tree)


# --- the kernel's own ---

OOPS = (Path(__file__).parent / "golden/oops-nvhe-v5.log").read_text()


@pytest.mark.parametrize(
    ("ran", "judged"),
    [
        (Ran("t", 0, "Random seed: 1\n"), [("", "PASS", "")]),
        (Ran("t", 4, "1..0 # SKIP - no vGICv3\n"), [("", "SKIP", "no vGICv3")]),
        (Ran("t", 4, "Random seed: 1\nSVE not supported\n"), [("", "SKIP", "SVE not supported")]),
        (Ran("t", 254, "mmap() failed\n"), [("", "FAIL", "exit status 254\nmmap() failed")]),
        (Ran("t", 0, "1..2\nok 1 a\nok 2 b # SKIP no MTE\n"),
         [("a", "PASS", ""), ("b", "SKIP", "no MTE")]),
        (Ran("t", 1, "1..2\n# why\nnot ok 1 a\nok 2 b\n"),
         [("a", "FAIL", "FAIL\n# why"), ("b", "PASS", "")]),
        (Ran("t", 139, "1..2\nok 1 a\n"),
         [("a", "PASS", ""), ("", "FAIL", "exit status 139\n1..2\nok 1 a")]),
        (Ran("t", 0, "1..2\nok 1 a\n"),
         [("a", "PASS", ""), ("", "FAIL", "not proper KTAP:\n2 results planned, 1 came")]),
        (Ran("t", 0, "1..1\nnot ok 1 a\n"),
         [("a", "FAIL", "FAIL"), ("", "FAIL", "exit status 0, though a subtest failed")]),
        (Ran("t", 137, "x\n", LIMIT_SECONDS + 1), [("", "FAIL", "TIMEOUT: no end after 121 s\nx")]),
        (Ran("t", 137, "x\n", 3.0), [("", "FAIL", "exit status 137\nx")]),
        (Ran("t", lost="QEMU ended"), [("", "ERROR", "the host was lost: QEMU ended")]),
        (Ran("t", lost="QEMU ended", console=OOPS),
         [("", "CRASH", "the host was lost: QEMU ended")]),
    ],
)  # fmt: skip
def test_the_verdicts_of_a_kernel_selftest(ran: Ran, judged: list[tuple[str, str, str]]) -> None:
    got = [(each.subtest, each.verdict.name, each.message) for each in judge(ran)]
    assert got == judged


def test_a_kernel_that_reports_something_is_at_fault_whatever_the_test_says() -> None:
    *_, whole = judge(Ran("t", 0, "1..1\nok 1 a\n", console=OOPS))
    assert whole.verdict is Verdict.CRASH
    assert whole.message.startswith("the kernel reported: ")


@pytest.mark.parametrize("directive", ["XFAIL", "TODO"])
def test_an_expected_failure_is_kept_apart(directive: str) -> None:
    (judged,) = judge(Ran("t", 0, f"1..1\nnot ok 1 a # {directive} later\n"))
    assert judged == Judged("a", Verdict.PASS, f"{directive}: later", expected_failure=True)


def test_where_chance_decides_what_a_kernel_of_7_3_does() -> None:
    """What the glue says of such a kernel may change from run to run there, and nowhere else."""
    should, does = Model(Behaviour(False)), Model(Behaviour(False, Finalize.FIRST_CREATED))
    counts: Counter[str] = Counter()
    for family in families():
        if not family.name.startswith("races"):
            continue
        for program in family.programs:
            if program.needs & {Capability.CPU_SYSREGS, Capability.IRS}:
                continue
            right = [allowed.trace for allowed in should.allowed(program)]
            shown = [
                any(compare(program, want, allowed.trace).agrees for want in right)
                for allowed in does.allowed(program)
            ]
            counts[family.name] += any(shown) and not all(shown)
    print(f"{counts['races-first-run']} of races-first-run")
    assert counts["races-first-run"] > 0
    assert +counts == {"races-first-run": counts["races-first-run"]}
