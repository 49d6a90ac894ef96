"""IDE: a channel with no drives, and the PIIX3's function that masters the bus for it."""
