"""The boards that there are, one folder each, and what boards of x86 machines share."""
