"""How a program begins, before it imports anything else of ours, and how it ends."""
