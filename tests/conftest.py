# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own tests: unit/ and platform/ need no kernel, target/ does."""

from hypothesis import Phase, settings

# A busy machine is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
# The same examples each time, and the first that fails will do: for mutation testing.
settings.register_profile(
    "fixed",
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
