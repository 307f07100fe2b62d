"""The typed table of everything that the built-in training loop can be told. No torch in here."""
