"""Formats of our own, before those of Django."""
