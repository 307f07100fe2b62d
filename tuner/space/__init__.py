"""The search file: YAML with positions, domains, conditions, constraints, settings, and all that can be wrong with them."""
