# ruff: noqa: A005 (it mirrors guestmap.inspect)
