"""Rights of this app (`accounts.roles`)."""

# To what is known of how the system runs.
from __future__ import annotations

SEE_HEALTH = "web.view_systemmetric"
