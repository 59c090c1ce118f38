# SPDX-License-Identifier: GPL-2.0-or-later
"""images.yaml -> files on disk: packages, kernels, guest binaries, the QEMU plugin."""

from harness.provision.images import Images, load_images
from harness.provision.paths import default_images, project_root
from harness.provision.provisioner import Provisioner
from harness.provision.results import Artifact, Expect, Kernel, Listing, Qemu

__all__ = [
    "Artifact",
    "Expect",
    "Images",
    "Kernel",
    "Listing",
    "Provisioner",
    "Qemu",
    "default_images",
    "load_images",
    "project_root",
]
