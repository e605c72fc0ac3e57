"""The REST API of orders, and of drivers and routes, whose calls show and change orders."""
