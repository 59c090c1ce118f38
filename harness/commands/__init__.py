# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that have no room of their own.  See harness/cli.py for all of them."""
