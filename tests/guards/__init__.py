"""Every guard of the product taken out in turn: some test must notice each."""
