#!/usr/bin/env python3
"""The command line: ``python -m guestmap``, and the program ``guestmap`` of the wheel.

An installer's own wrapper would import modules before a line of ours runs, and would answer Ctrl-C
with a traceback meanwhile: so the wheel brings this file as the program.
"""

if __name__ == "__main__":  # a worker of multiprocessing reads it too
    import os  # Python itself has imported it already
    from _signal import SIGINT, default_int_handler, getsignal, signal  # built in: takes no time

    def end_at_once(_number: int, _frame: object) -> None:
        """End on Ctrl-C while modules are imported: an exception may be lost there.

        Nothing was done yet that would have to be undone.
        """
        os.write(2, b"guestmap: interrupted\n")
        os._exit(130)  # as shells have it

    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, end_at_once)
    from guestmap.cli import main
    from guestmap.start.leave import leave

    try:
        main()
    except SystemExit as ended:
        import sys

        if sys._getframe().f_back is None:  # nobody runs us as a part of his own program
            leave(ended.code)
        raise
