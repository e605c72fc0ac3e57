"""Real servers, a browser and an SMS sandbox, for tests and the targets of the Makefile. A deployed site uses none."""
