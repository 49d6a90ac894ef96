"""QEMU's command line, as far as it describes a machine: one module for each option."""
