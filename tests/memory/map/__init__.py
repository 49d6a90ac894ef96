"""Tests of guestmap.memory.map."""
