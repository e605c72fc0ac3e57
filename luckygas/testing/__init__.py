"""What the tests stand on: real servers of their own. Not used by the product."""
