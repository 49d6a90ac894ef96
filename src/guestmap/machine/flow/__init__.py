"""The firmware's flow, seen from outside: entries, modes, stacks, interrupts that may come in.

:func:`guestmap.machine.flow.following.follow` begins it. What a CPU shows is
:mod:`guestmap.accel.following`'s, what follows from that :mod:`guestmap.machine.flow.tracker`'s.
"""
