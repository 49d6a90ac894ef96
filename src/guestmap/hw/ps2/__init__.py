"""The keyboard controller, and what is plugged into it."""
