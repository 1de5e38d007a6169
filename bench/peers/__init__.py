"""Others who do what we do, each in an environment of its own, on the same servers with the same bytes."""
