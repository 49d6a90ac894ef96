"""The Cirrus Logic CL-GD5446: a VGA with banks, a linear window, and a blitter."""
