#!/usr/bin/env python
"""Django's command line for Lucky Gas."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line
from structlog.contextvars import bind_contextvars

from web import request_id

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "luckygas.settings")
    if sys.argv[1:2] != ["runserver"]:  # its requests have their own ids
        bind_contextvars(request_id=request_id.new(), command=" ".join(sys.argv[1:2]))
    execute_from_command_line(sys.argv)
