"""The data of `manage.py demo`: a small depot on an ordinary day."""

from __future__ import annotations
