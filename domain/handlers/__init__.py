"""One plain synchronous function for each command, with the declaration of what it reads beside it."""
