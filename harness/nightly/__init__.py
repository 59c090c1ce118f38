# SPDX-License-Identifier: GPL-2.0-or-later
"""The nightly matrix: variants from images.yaml, run by Avocado, compared with the night before."""
