"""``info mtree`` as people paste it: one reader in front of the strict one.

Mail, forums, terminals and programs put things around and between QEMU's lines: quoting, blanks,
prompts, prose, line numbers, string literals, dots where something was cut. They break lines, too.
Here that is taken off. Whatever cannot be understood is still refused, by its line in the text that
was pasted.
"""

from guestmap.inspect.text.pasted.read import Pasted, read_pasted

__all__ = ["Pasted", "read_pasted"]
