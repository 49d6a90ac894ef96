"""The window through which firmware reads its machine's configuration."""

from guestmap.hw.fw_cfg.device import FwCfg

__all__ = ["FwCfg"]
