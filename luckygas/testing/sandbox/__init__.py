"""The SMS sandbox: a provider on loopback with three protocols, a page with telephones, and simulated faults."""
