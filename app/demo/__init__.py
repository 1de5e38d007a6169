"""The demonstration: the whole way at once, on servers of its own, judged by the checker."""
