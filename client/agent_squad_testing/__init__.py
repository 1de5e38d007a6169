"""For tests of code that uses Agent Squad's tables: a fresh real database for each."""
