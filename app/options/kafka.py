"""Where Kafka is, how it is spoken to, and what its topics are like."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveInt

from app.options.values import Absent, File, Secret, Text


class KafkaOptions(BaseModel):
    """Where Kafka is, how it is spoken to, and what its topics are like."""

    kafka_bootstrap_servers: Annotated[str, Field(description="Kafka brokers to start from, `host:port,…`.")] = (
        "127.0.0.1:9092"
    )
    kafka_security_protocol: Annotated[
        Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"],
        Field(description="`ssl` encrypts, `sasl_…` logs in: `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`."),
    ] = "plaintext"
    kafka_ssl_ca_file: Annotated[
        File, Field(description="Authorities that sign the brokers' certificates, PEM; empty: the system's.")
    ] = None
    kafka_ssl_certificate_file: Annotated[
        File, Field(description="Our certificate with its chain, PEM, where brokers ask for one.")
    ] = None
    kafka_ssl_key_file: Annotated[File, Field(description="Its key, PEM; empty: it is in the certificate's file.")] = (
        None
    )
    kafka_ssl_key_password: Annotated[Secret, Field(description="Of that key.")] = None
    kafka_ssl_key_password_file: Annotated[File, Field(description="The same, from a file.")] = None
    kafka_ssl_check_hostname: Annotated[
        bool, Field(description="Whether a broker's certificate must be made out to the name we connect to.")
    ] = True
    kafka_sasl_mechanism: Annotated[
        Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None, Absent],
        Field(description="How to log in: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`."),
    ] = None
    kafka_sasl_username: Annotated[Text, Field(description="As whom, with PLAIN and SCRAM.")] = None
    kafka_sasl_password: Annotated[Secret, Field(description="Of that user.")] = None
    kafka_sasl_password_file: Annotated[File, Field(description="The same, from a file.")] = None
    kafka_sasl_token_file: Annotated[
        File, Field(description="The token of OAUTHBEARER; read again for each connection, so it may be renewed.")
    ] = None
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
