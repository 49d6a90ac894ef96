"""Questions to a map: who answers and why, what differs, what is suspicious, where its RAM is."""
