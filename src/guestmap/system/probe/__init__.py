"""What libvirt asks of an emulator before there is a machine, answered from a table.

``libvirt`` starts a program up to ten times for one definition, to ask it some fifty questions.
:mod:`.server` answers them byte for byte as the monitor would, without it: ``answers`` holds what
the monitor said (:mod:`.asking`), a file for each QEMU that can be claimed (:mod:`.claimed`);
whatever else is asked, the monitor is asked.
"""
