"""The server: domain, models, services and the API over them, and the command line beside them."""
