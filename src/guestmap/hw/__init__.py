"""Devices and chipsets of a PC, each a module, or a folder where it takes several.

A device gets a memory system, a clock and interrupt lines, and address spaces if it masters the
bus; it makes its regions, and the machine places them. It never knows an engine, and no access
makes it raise.
"""
