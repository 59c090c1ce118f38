# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels that deserve to fail: which programs see it?

Each patch of tests/mutants breaks a kernel in one place.  ``gicv5 mutants`` builds them one by one,
runs the suite or the fuzzer on each, and makes the kill table.
"""
