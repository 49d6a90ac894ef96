"""KVM, the host kernel's hypervisor: the same machines at the speed of the host's own CPU.

Source of all its facts: Linux, Documentation/virt/kvm/api.rst. :mod:`~.abi` has the requests,
:mod:`~.caps` what a host can do, :mod:`~.slots` keeps a VM's memory in step with the machine's.
"""
