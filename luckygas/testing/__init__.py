"""Test infrastructure: real servers, a browser and an SMS sandbox. The product does not use it."""
