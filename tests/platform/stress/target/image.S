/* SPDX-License-Identifier: GPL-2.0-or-later */
	.section .rodata
	.balign	8
	.global guest_image, guest_image_end
guest_image:
	.incbin	"guest.bin"
guest_image_end:
	.section .note.GNU-stack, "", %progbits
