"""Virtio: the rings, the PCI transport, and devices behind it."""
