"""Settings, wiring, life cycle, command line. Imported by nothing."""
