"""``lint``: what is wrong or suspicious in a map, from a table of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import ConfigError
from guestmap.inspect.ask import lint_hidden, lint_overlap, lint_slots, lint_tree
from guestmap.inspect.ask.findings import Finding, LintOptions, Severity, Subject
from guestmap.inspect.map.report import RegionRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from guestmap.inspect.ask.findings import Hit
    from guestmap.inspect.map.snapshot import Snapshot


class LintCheck(NamedTuple):
    """A code that people can search for and switch off, and what to do about it."""

    code: str
    severity: Severity
    find: Callable[[Subject], Iterator[Hit]]
    remedy: str


CHECKS: tuple[LintCheck, ...] = (
    LintCheck("hidden-region", "warning", lint_hidden.hidden_regions,
          "move it, raise its priority, or disable what hides it; if it must not be seen, disable"
          " it, so that the map says so"),
    LintCheck("pam-shadowed", "info", lint_hidden.pam_shadowed,
          "none needed: firmware has shadow RAM in front of its ROM, as the chipset is made for"),
    LintCheck("ram-over-device", "warning", lint_hidden.ram_over_device,
          "place the device's registers (its BAR) where there is no memory"),
    LintCheck("display-linear", "info", lint_hidden.display_linear,
          "none needed: the display adapter shows its memory without itself in between, in a mode"
          " in which it would only store and fetch"),
    LintCheck("equal-priority", "info", lint_overlap.equal_priority,
          "give the one that should answer a higher priority, so that the order of adding does not"
          " decide"),
    LintCheck("beyond-target", "info", lint_tree.beyond_target,
          "make the alias end where its target ends"),
    LintCheck("beyond-container", "info", lint_tree.beyond_container,
          "make the container larger, or the region smaller"),
    LintCheck("partial-page", "warning", lint_slots.partial_pages,
          "align start and size to pages, or accept that the rest is slow and cannot hold code"),
    LintCheck("torn-block", "info", lint_slots.torn_blocks,
          "join the pieces: fewer small regions in the middle of memory, PAM set alike for"
          " neighbouring segments"),
    LintCheck("kvm-slots", "error", lint_slots.kvm_budget,
          "use fewer and larger memory devices"),
    LintCheck("vhost-slots", "error", lint_slots.vhost_budget,
          "use fewer and larger memory devices, or a backend with more slots (vhost kernel:"
          " parameter max_mem_regions)"),
    LintCheck("unaligned-device", "warning", lint_slots.unaligned_devices,
          "give the device an addr= and a size that are multiples of the guest's memory block"),
    LintCheck("beyond-phys-bits", "error", lint_slots.beyond_phys_bits,
          "give the guest CPU more bits (phys-bits=, host-phys-bits=on), or the machine less memory"
          " (maxmem)"),
)  # fmt: skip


def lint(snapshot: Snapshot, options: LintOptions | None = None) -> tuple[Finding, ...]:
    """Return all findings, in the order of the table of checks, then as they come in the map."""
    subject = Subject(snapshot, options or LintOptions())
    return tuple(
        Finding(
            check.code, check.severity, hit.space, hit.start, hit.end,
            tuple(RegionRef.to(region) for region in hit.regions), hit.message, check.remedy,
        )
        for check in CHECKS
        if check.code not in subject.options.ignore
        for hit in check.find(subject)
    )  # fmt: skip


def refuse_unknown(codes: Iterable[str]) -> None:
    """Refuse codes that no check has.

    Raises:
        ConfigError: names them, and those that there are.
    """
    known = {check.code for check in CHECKS}
    if unknown := sorted(set(codes) - known):
        listed = ", ".join(sorted(known))
        raise ConfigError(
            f"no check is called {', '.join(map(repr, unknown))}; there are: {listed}"
        )
