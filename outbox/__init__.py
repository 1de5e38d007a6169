"""Messages awaiting publication and published: append, relay, cursor, lease, partitions."""
