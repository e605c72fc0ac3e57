"""Our own formats of dates and numbers, which take precedence over Django's."""
