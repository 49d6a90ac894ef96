"""Tests of guestmap.memory.access."""
