"""``python -m guestmap.system``: the program."""

from guestmap.system import main

main()
