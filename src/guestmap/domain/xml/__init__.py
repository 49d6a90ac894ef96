"""libvirt's domain XML: read safely, edited in place, written as libvirt writes it.

What is not understood here is kept byte for byte: an edit replaces the bytes of the elements that
it is about, and touches no others.
"""
