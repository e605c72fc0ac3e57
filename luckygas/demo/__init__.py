"""What `manage.py demo` puts into an empty database: a small depot on an ordinary day."""

from __future__ import annotations
