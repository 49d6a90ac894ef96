"""A guest's screen in a terminal: what is typed there are its keys."""
