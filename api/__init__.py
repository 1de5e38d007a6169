"""The HTTP API: the guide's users. Reads are sessions, writes are commands whose outcomes are waited for."""
