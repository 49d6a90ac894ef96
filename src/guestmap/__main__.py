"""``python -m guestmap``: the command line."""

from guestmap.cli import main

main()
