"""The System Management Bus: the host's registers, and what sits on it."""
