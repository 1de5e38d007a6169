"""Where Kafka is, and what its topics are like."""

from typing import Annotated

from pydantic import BaseModel, Field, PositiveInt


class KafkaOptions(BaseModel):
    """Where Kafka is, and what its topics are like."""

    kafka_bootstrap_servers: Annotated[str, Field(description="Kafka brokers to start from, `host:port,…`.")] = (
        "127.0.0.1:9092"
    )
    topic_prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]*$", description="In front of the topics' names.")] = (
        "squad."
    )
    topic_partitions: Annotated[PositiveInt, Field(description="Partitions of each topic that is created.")] = 6
    topic_replication_factor: Annotated[
        PositiveInt, Field(description="Copies of each topic that is created; 3 where there are three brokers.")
    ] = 1
    accept_producer_time: Annotated[
        bool,
        Field(description="Take commands from a topic stamped by producers; else it must have LogAppendTime."),
    ] = False
