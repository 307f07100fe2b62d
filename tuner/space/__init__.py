"""The search file: YAML with positions, domains, conditions, constraints, and all that can be wrong with them."""
