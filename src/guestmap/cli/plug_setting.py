"""What ``plug`` and its neighbours know of a guest beside its machine: by its agent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.base import PeerError
from guestmap.domain import AgentSocket, AgentUse, GuestAgent, survey
from guestmap.domain.machine_types import VIRTIO_MEM
from guestmap.domain.virtio_mem import free_ports, needs_port

if TYPE_CHECKING:
    from guestmap.domain import Peer, PlugRequest, Scene
    from guestmap.domain.use import UseSource


def agent_of(peer: Peer, socket: str | None) -> GuestAgent | None:
    """Return the guest's agent: that of the socket, or libvirt's where it answers; or None.

    Raises:
        ConfigError, HostError, PeerError: the agent that was named does not answer.
    """
    if socket is not None:
        agent = GuestAgent(AgentSocket(socket))
        agent.block_size()
        return agent
    if peer.agent is None:
        return None
    agent = GuestAgent(peer.agent)
    try:
        agent.block_size()
    except PeerError:
        return None
    return agent


def surveyed(peer: Peer, agent: GuestAgent | None) -> Scene:
    """Return the machine as it is, with what its guest tells of itself."""
    scene = survey(peer)
    if agent is None:
        return scene
    block = agent.block_size()
    situation = replace(scene.situation, block=block, block_by="the guest, as its agent says,")
    return replace(scene, situation=situation)


def with_port(peer: Peer, scene: Scene, request: PlugRequest) -> PlugRequest:
    """Return the request for a virtio-mem device with a root port, where it needs one."""
    if request.kind != VIRTIO_MEM or request.bus is not None or not needs_port(scene.situation):
        return request
    return replace(request, bus=next(iter(free_ports(peer)), None))


def uses_of(agent: GuestAgent | None) -> UseSource | None:
    """Return what tells whether the guest uses its memory."""
    return None if agent is None else AgentUse(agent)
