"""A domain's machine as a process: its command line, its start and its end, and talking to it."""
