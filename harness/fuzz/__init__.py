# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding bugs with generated programs.

======================  =============================================================
values                  interesting numbers
generate                programs, from a seed
modelled                what the model expects of a program, or where it has no answer
signature               when two failures are the same finding
shrink                  the shortest program that fails in the same way, on the target
text                    programs as files that people read and edit
corpus                  the folder of findings and interesting programs
fuzzer                  the loop
compare                 the same programs on two kernels
reproducer              a finding as one C file
commands                what a person types
======================  =============================================================
"""
