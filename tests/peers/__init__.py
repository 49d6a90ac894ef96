"""What needs programs that `make test` does without."""
