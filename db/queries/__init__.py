"""The guide's reads, as typed functions on a session; none of them writes."""
