# SPDX-License-Identifier: GPL-2.0-or-later
"""What people do with a kernel tree of theirs: find the commit that broke it, watch it."""
