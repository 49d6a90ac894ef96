"""What happens to domains: told by whoever does it, heard by whoever listens."""
