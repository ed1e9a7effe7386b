"""Services and tasks together with real databases and a real Redis."""
