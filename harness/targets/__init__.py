# SPDX-License-Identifier: GPL-2.0-or-later
"""Executors that reach a kernel."""
