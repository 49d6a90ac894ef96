"""What libvirt says no to, in whose words: texts and codes as data, and the checks."""
