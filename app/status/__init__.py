"""What `squad status` shows: what runs, how far it is, what waits, and what wants somebody's attention."""
