"""Memory that is plugged in and out while the machine runs: back-ends, DIMMs, their slots."""
