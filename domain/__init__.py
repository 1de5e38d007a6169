"""What we decide: commands, state, rules and events. Standard library and `annotated_types` only."""
