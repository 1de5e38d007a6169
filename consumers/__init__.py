"""From Kafka records to committed transactions: source, batches, processor, inbox, checkpoints, failures."""
