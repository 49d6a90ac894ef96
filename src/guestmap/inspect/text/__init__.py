"""QEMU's texts: `info mtree` read and written, as people paste it, and what it leaves open."""
