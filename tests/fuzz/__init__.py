"""Readers of what strangers send, given whatever leads them somewhere new: ``make fuzz``."""
