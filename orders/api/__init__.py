"""REST API of orders, and of drivers and routes, whose calls read and change orders."""
