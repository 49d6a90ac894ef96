"""A whole boot as one JSON object, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.cli.flow import flow_to_json
from guestmap.cli.in_vain import in_vain_to_json
from guestmap.cli.tracing import trace_to_json
from guestmap.inspect import Snapshot
from guestmap.inspect.map.commit_json import commit_to_json
from guestmap.machine import LogLine, PhaseChange, VirtualMachine
from guestmap.memory.map import CommitRecord

if TYPE_CHECKING:
    from guestmap.cli.boot_answer import Recorder


def report(
    vm: VirtualMachine, recorder: Recorder, before: Snapshot, after: Snapshot, *, traced: bool
) -> dict[str, Any]:
    """Return the boot as JSON-able values; times are seconds since the machine was made.

    Args:
        vm: the machine, after its run.
        recorder: what happened.
        before: its map then.
        after: its map now.
        traced: whether accesses were asked for.
    """
    counts = vm.accelerator.statistics()
    config = vm.board.config
    return {
        "format": "guestmap.boot",
        "format_version": 1,
        "version": after.version,
        "machine": {
            "board": config.machine,
            "ram_size": config.ram_size,
            "cpus": config.cpus,
            "engine": vm.accelerator.name,
            "engine_parts": vm.accelerator.parts,
        },
        "state": str(vm.state),
        "phases": [_phase(change) for change in vm.phases.changes],
        "log": [_line(line) for line in vm.log],
        "resets": [{"time_s": r.time_ns / 1e9, "reason": r.reason} for r in recorder.resets],
        "commits_forgotten": recorder.forgotten,
        "commits": [_commit(record) for record in recorder.commits],
        "in_vain": in_vain_to_json(vm.accelerator.in_vain),
        "trace": trace_to_json(vm.trace, vm.vcpu) if traced else None,
        "flow": flow_to_json(vm.flow) if vm.flow is not None else None,
        "statistics": {name: getattr(counts, name) for name in counts.__slots__},
        "before": before.to_json(),
        "after": after.to_json(),
    }


def _phase(change: PhaseChange) -> dict[str, Any]:
    return {
        "name": str(change.phase),
        "time_s": change.time_ns / 1e9,
        "evidence": change.evidence,
    }


def _line(line: LogLine) -> dict[str, Any]:
    return {"time_s": line.time_ns / 1e9, "text": line.text}


def _commit(record: CommitRecord) -> dict[str, Any]:
    return commit_to_json(record, {"time_s": record.time_ns / 1e9}, offset_key="offset_in_region")
