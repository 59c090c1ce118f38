# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own tests: unit/ and platform/ need no kernel, target/ does."""
