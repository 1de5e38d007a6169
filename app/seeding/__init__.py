"""`squad seed`: users, squads, projects and tasks by real commands, for whoever wants something to look at."""
