"""What takes hours: `make soak`, for GUESTMAP_SOAK_S seconds each (an hour where it is not set)."""
