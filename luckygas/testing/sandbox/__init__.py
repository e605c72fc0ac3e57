"""A provider on loopback: it speaks `http`, Mitake and EVERY8D, shows the telephones, and fails when told to."""
