"""Changes of a domain: each one a job, noted before its first step, done or undone in the end."""
