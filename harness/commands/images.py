# SPDX-License-Identifier: GPL-2.0-or-later
"""`gicv5 images`: what is under test: there, cached, fetched, built."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.commands.shown import progress
from harness.provision import Listing, Provisioner, default_images, load_images

_SHORT = 12


def images_option(parser: argparse.ArgumentParser) -> None:
    """--images"""
    parser.add_argument(
        "--images",
        type=Path,
        default=default_images(),
        metavar="FILE",
        help="instead of the project's own",
    )


def images_options(parser: argparse.ArgumentParser) -> None:
    names = "a QEMU or a kernel (default: all)"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    images_option(parser)
    fetch = "fetch or build what is not in the cache"
    parser.add_argument("--fetch", action="store_true", help=fetch)
    refresh = "ask the archive for the newest versions"
    parser.add_argument("--refresh", action="store_true", help=refresh)
    parser.add_argument("--json", action="store_true", help="for programs")


def command_images(options: argparse.Namespace) -> int:
    """List, and with --refresh or --fetch first change, what is in the cache."""
    with progress() as say:
        images = load_images(options.images)
        provisioner = Provisioner(images, progress=say)
        for name in options.names:
            if name not in images.qemu.named:
                images.kernel(name)
        names = options.names or list(provisioner.names())
        for name in names:
            if options.refresh:
                provisioner.refresh(name)
            if options.fetch and (name in options.names or provisioner.is_there(name)):
                _fetch(provisioner, name, asked=bool(options.names))
        listings = [provisioner.describe(name) for name in names]
    if options.json:
        print(json.dumps([dataclasses.asdict(listing) for listing in listings], indent=2))
    else:
        _print_listings(listings)
    return 0


def _fetch(provisioner: Provisioner, name: str, asked: bool) -> None:
    listing = provisioner.describe(name)
    if listing.section == "kernel":
        provisioner.kernel(name)
    elif asked or listing.kind == "package":
        provisioner.qemu(name)


def _print_listings(listings: Sequence[Listing]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("name", "kind", "version", "sha256", "cached"):
        table.add_column(title, no_wrap=True)
    for listing in listings:
        table.add_row(
            listing.name,
            f"{listing.section}, {listing.kind}",
            escape(listing.version or "-"),
            listing.sha256[:_SHORT] or "-",
            "yes" if listing.cached else "no",
        )
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    heading, *rows = capture.get().splitlines()
    print(heading)
    for listing, row in zip(listings, rows, strict=True):
        unknown = "" if listing.resolved else " (not asked for yet)"
        if listing.absent:
            unknown = " (not in the archive yet)"
        print(row.rstrip())
        print(f"    {listing.resolved or listing.asked}{unknown}")
        if expectation := _expectation(listing):
            print(f"    expect: {expectation}")


def _expectation(listing: Listing) -> str:
    expect = listing.expect
    if expect is None:
        return ""
    accessors = {None: "as probed", True: "yes", False: "no"}[expect.accessors]
    parts = [f"accessors {accessors}", f"finalize {expect.finalize}"]
    if expect.late_writes:
        parts.append(f"late writes {expect.late_writes}")
    if expect.irs is not None:
        parts.append("IRS" if expect.irs else "no IRS")
    return ", ".join(parts) + (f"; {listing.cmdline}" if listing.cmdline else "")
