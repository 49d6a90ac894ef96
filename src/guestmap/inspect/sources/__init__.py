"""Where maps come from: a running machine, a file, a folder, standard input."""
