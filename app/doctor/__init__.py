"""`squad doctor`: small checks of what the service needs, each with what was found and what to do."""
