# SPDX-License-Identifier: GPL-2.0-or-later
"""The GICv5 of qemu_plugin/ against QEMU's own, by generated programs: docs/differential.md."""
