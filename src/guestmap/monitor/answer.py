"""One request, carried out: a reply line, whatever happens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guestmap.base import GuestmapError
from guestmap.monitor.command import Context, MonitorCommand, Need
from guestmap.qmp import ErrorClass, QmpError
from guestmap.qom import NotFoundError

if TYPE_CHECKING:
    from guestmap.qmp import Request, Session

_LOG = logging.getLogger(__name__)


def answer(session: Session, context: Context, command: MonitorCommand, request: Request) -> bytes:
    """Carry a request out, with the machine to itself where it needs that; return its reply.

    An error that is nobody's doing but ours is logged; the client hears of it, and is served on.
    """
    try:
        if command.need_for(request.arguments) is Need.NOTHING:
            value = command.run(context, request.arguments)
        else:
            with context.vm.exclusive():
                value = command.run(context, request.arguments)
        return session.reply(request, value)
    except QmpError as error:
        return session.error(request, error.cls, error.desc)
    except NotFoundError as error:
        return session.error(request, ErrorClass.DEVICE_NOT_FOUND, str(error))
    except GuestmapError as error:
        return session.error(request, ErrorClass.GENERIC, str(error))
    except Exception as error:  # noqa: BLE001 - one command's fault must not end the monitor
        _LOG.exception("%s failed", command.name)
        return session.error(request, ErrorClass.GENERIC, f"internal error: {error!r}")
