# SPDX-License-Identifier: GPL-2.0-or-later
"""The trace of accesses to the GIC that the platform records: what KVM did to the hardware.

Not to be confused with ``harness.trace``, which is what a program returns.
"""
