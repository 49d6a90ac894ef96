"""Tests of guestmap.memory.ram."""
