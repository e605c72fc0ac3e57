"""What happened to an order beyond the save of its row, which `post_save` of `Order` tells.

Receivers run in the transaction of the change, and one that fails takes it back.
"""

from __future__ import annotations

from django.dispatch import Signal

# Sender `Order`, `confirmation` the new DeliveryConfirmation.
order_delivered = Signal()
