"""A model check: every order in which a small build's events can come, on the code that decides."""
