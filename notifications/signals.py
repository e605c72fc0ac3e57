"""What happened to messages and providers.

Receivers run in the transaction of the change, and one that fails takes it back.
"""

from __future__ import annotations

from django.dispatch import Signal

# Sender `NotificationHistory`, `message` as it is now, in its new status.
message_moved = Signal()
# Sender `StatusNote`, `note` with the customer's answer.
reply_received = Signal()
# Sender `GatewayState`, `state` as it is now, `news`: what happened to it, a `GatewayState.News`.
gateway_changed = Signal()
