"""Commands of every type in one load: their weights, and a picture of what they make, so that they are valid."""
