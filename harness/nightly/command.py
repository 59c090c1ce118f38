# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 nightly``."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.commands.shown import say
from harness.errors import ConfigError, HarnessError
from harness.nightly.job import JobOptions, command, not_run, read_job, run_job
from harness.nightly.night import Changes, Night, Outcome, changes, exit_code, night_facts, night_of
from harness.nightly.plan import Variant, plan
from harness.nightly.spawner import check_spawner, settings_of
from harness.provision import Provisioner, default_images, load_images
from harness.provision.images import Images

SUMMARY: Final = "nightly.json"
PAGE: Final = "nightly.html"
LISTED: Final = 10


def nightly_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--plan", action="store_true", help="show the variants, run nothing")
    add("--images", type=Path, default=default_images(), metavar="FILE",
        help="instead of the project's own")  # fmt: skip
    add("--state", type=Path, default=Path("gicv5-results/nightly"), metavar="DIR",
        help="where the nights are kept (gicv5-results/nightly)")  # fmt: skip
    add("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
        help="variants at the same time (as many as there are CPUs)")  # fmt: skip
    add("--spawner", default="process", metavar="NAME",
        help="of Avocado: process, podman, lxc, or remote with its plugin")  # fmt: skip
    add("--avocado", type=Path, metavar="FILE",
        help="settings in Avocado's own form, for its spawner: docs/ci.md")  # fmt: skip
    add("--with", dest="requested", action="append", default=[], metavar="NAME",
        help="also the blocks of the matrix that say on_request: NAME")  # fmt: skip
    add("--new-only", action="store_true",
        help="for the exit code, a kernel's failure counts only if it is new")  # fmt: skip


def command_nightly(options: argparse.Namespace) -> int:
    """Plan, provision, run, compare, report."""
    from harness.suite import families  # noqa: PLC0415 (it builds hundreds of programs)

    if options.jobs < 1:
        raise ConfigError(f"--jobs {options.jobs}: there must be one at least", "leave it out")
    images = load_images(options.images)
    started = datetime.now(UTC)
    names = [family.name for family in families()]
    variants = plan(images, started.strftime("%Y%m%d"), names, options.requested)
    if options.plan:
        for variant in variants:
            print(f"{variant.id:40} pytest {' '.join(command(variant, options.images)[2:])}")
        print(f"{len(variants)} variants")
        return 0
    check_spawner(options.spawner, settings_of(options.avocado))
    clock = time.monotonic()
    ready, idle = provision(variants, images, say)
    say(f"running {len(ready)} variants, {options.jobs} at a time")
    job = JobOptions(options.state.absolute(), options.images.absolute(), options.jobs,
                     options.spawner, images.nightly.timeout)  # fmt: skip
    earlier = earlier_nights(options.state)
    job.results.mkdir(parents=True, exist_ok=True)
    folder = run_job(ready, job)
    done = {outcome.id: outcome for outcome in [*idle, *read_job(folder, ready)]}
    night = Night(
        started.isoformat(timespec="seconds"), round(time.monotonic() - clock, 1),
        tuple(done[variant.id] for variant in variants),
    )  # fmt: skip
    found = changes(night, earlier)
    save(night, found, earlier, folder)
    show(night, found, folder, bool(earlier))
    return exit_code(night, found, options.new_only)


def provision(
    variants: Sequence[Variant], images: Images, say: Callable[[str], None]
) -> tuple[list[Variant], list[Outcome]]:
    """Everything into the cache, so that variants do not build side by side; which are ready."""
    provisioner = Provisioner(images, progress=say)
    trouble: dict[str, HarnessError] = {}
    absent: set[str] = set()
    for variant in variants:
        try:
            if not provisioner.is_there(variant.kernel):
                absent.add(variant.kernel)
                continue
            provisioner.qemu(variant.qemu)
            provisioner.plugin()
            provisioner.initramfs(provisioner.kernel(variant.kernel))
        except HarnessError as e:
            trouble[variant.id] = e
    ready, idle = [], []
    for variant in variants:
        if variant.kernel in absent:
            idle.append(not_run(variant, "", absent=True))
        elif error := trouble.get(variant.id):
            idle.append(not_run(variant, error.what, error.exit_code))
        else:
            ready.append(variant)
    return ready, idle


def earlier_nights(state: Path) -> list[Night]:
    """Those kept in a folder, oldest first; what cannot be read is named and passed over."""
    nights = []
    for path in state.glob(f"job-*/{SUMMARY}"):
        try:
            nights.append(night_of(json.loads(path.read_text())))
        except (OSError, ValueError, KeyError, TypeError) as e:
            say(f"passed over: {path}: {e}")
    return sorted(nights, key=lambda night: night.started)


def save(night: Night, found: Changes, earlier: Sequence[Night], folder: Path) -> None:
    from harness.nightly.page import page  # noqa: PLC0415 (it needs a template engine)

    (folder / SUMMARY).write_text(json.dumps(night_facts(night, found), indent=1) + "\n")
    (folder / PAGE).write_text(page(night, found, earlier, folder))


def show(night: Night, found: Changes, folder: Path, compared: bool) -> None:
    """The summary on stdout."""
    for outcome in night.outcomes:
        counts = ", ".join(f"{n} {name.lower()}" for name, n in outcome.counts.items())
        said = outcome.trouble or counts or "its kernel is not in the archive yet"
        print(f"{outcome.status:5}  {outcome.id:34} {outcome.seconds:6.1f} s  {said}")
    for name in ("new", "fixed", "flaky", "slower") if compared else ():
        each = getattr(found, name)
        print(f"{name}: {len(each)}")
        for change in each[:LISTED]:
            print(f"  {change.variant} {change.what}: {change.before} -> {change.now}")
        if len(each) > LISTED:
            print(f"  and {len(each) - LISTED} more")
    if not compared:
        print("no night before to compare with")
    print(f"{len(night.outcomes)} variants in {night.seconds:.0f} s; {folder / PAGE}")
