"""The command line `squad`. Modules import late: `squad --help` loads no database, Kafka or validation library."""
