# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines and branches of KVM's VGICv5 the suite and fuzzing reach, by gcov."""
