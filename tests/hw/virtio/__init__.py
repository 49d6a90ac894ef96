"""Tests of virtio: rings, transport, devices."""
