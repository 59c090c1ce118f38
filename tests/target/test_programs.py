# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite: one test per program of harness.suite, on a kernel.

There is nothing to read here: the plugin (harness/pytest_plugin.py) collects the programs in this
file's place.  ``pytest --target=qemu`` runs them; ``test_programs.py::order`` is one family.
"""
