"""The SMS sandbox: a provider on loopback with three protocols, a page of telephones, and simulated faults."""
