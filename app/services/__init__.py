"""The use cases: one function each, a session first. None commits; what a function changes is one transaction's."""
