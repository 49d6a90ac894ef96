"""VGA: registers, planes, Bochs' display interface, and the windows of each."""
