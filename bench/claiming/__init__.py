"""What the guide claims of asynchronous sessions, each beside what it claims it against."""
