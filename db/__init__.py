"""PostgreSQL: sessions, models, the store of domain state, read queries, error classes."""
