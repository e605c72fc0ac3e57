"""The REST API of orders, and what the APIs of all apps share: errors, pages, bodies, tokens, the cursor."""
