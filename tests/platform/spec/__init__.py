# SPDX-License-Identifier: GPL-2.0-or-later
"""An executable specification of the GICv5 that qemu_plugin/ emulates, and what compares the two.

It is written from the architecture's rules, as the project's reference states them, and shares no
structure with the C: interrupts are elements of sets and objects, not bits of words; nothing is
cached; every question is answered by looking at all of the state. Where the architecture leaves a
choice, the function says "Platform:" and what this platform chose.

    state.py      what there is: PEs, interrupts, VMs
    cpuif.py      the CPU interface: selection, acknowledge, priority drop, deactivate
    iri.py        physical SPIs and LPIs: commands and wires
    vms.py        virtual machines: tables, residency, doorbells; vist.py: their SPIs and LPIs
    registers.py  system registers and instructions: encoding, traps, meaning
    irs.py        the IRS's registers; irs_vm.py: those about virtual machines
    machine.py    one access: undefined, trapped, or done; and the signals

    native.py     the C state machine, driven by arrays of accesses
    generate.py   random programs of accesses; generate_vm.py: of a hypervisor and its guests
    compare.py    both run a program; where they differ, the shortest program that shows it
    mutants.py    bugs of one line that the comparison must find

More than the test suite runs:  cd tests/platform && python -m spec --accesses 10000000
"""
