"""REST API of orders, drivers and routes. Routes are here because assigning one changes its orders."""
