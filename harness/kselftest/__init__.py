# SPDX-License-Identifier: GPL-2.0-or-later
"""Out of and into the kernel's own test world: docs/kselftests.md.

======================  =============================================================
tables                  programs and what the model expects of them, as C data
glue                    the suite as a selftest of a kernel tree: installed, removed
command                 what a person types for that
running                 one of the kernel's own selftests on a host, and its verdicts
pytest_items            those as pytest's items
======================  =============================================================

The kernel's own are built by harness/provision/selftests.py; harness/ktap.py reads what they print.
"""
