# SPDX-License-Identifier: GPL-2.0-or-later
"""Out of and into the kernel's own test world.

tables     programs and what the model expects of them, as C data (kselftest_glue/judge.h)
glue       the suite as a selftest of a kernel tree: installed, removed
"""
