# SPDX-License-Identifier: GPL-2.0-or-later
"""Proves on a real kernel which private interrupts KVM shows to a GICv5 guest.

A *program* (program.py) is a list of operations on a host.  An *executor* runs it and returns a
*trace* (trace.py).  The reference model (model/) is an executor, and so is each target (targets/).
A test runs one program on both and compares the traces.
"""
