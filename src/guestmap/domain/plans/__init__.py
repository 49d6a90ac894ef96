"""Saying what will happen to a domain, doing exactly that, and holding the domain to it."""
