"""What is kept of domains: definitions, what runs, what is under way; each file whole or absent."""
