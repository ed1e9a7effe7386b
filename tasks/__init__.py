"""The Celery tasks: hints that say "look now". They carry ids only, and the rows decide what follows."""
