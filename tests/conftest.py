"""What every test shares."""

from __future__ import annotations

from hypothesis import settings

from mmrec.stage import share_cores

share_cores()

# Machines are shared: a slow example is no failure.
settings.register_profile("mmrec", deadline=None)
settings.load_profile("mmrec")
