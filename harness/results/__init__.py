# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of a session, as data, and the formats that other tools read."""
