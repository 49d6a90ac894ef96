"""Tests of guestmap.memory.hear."""
