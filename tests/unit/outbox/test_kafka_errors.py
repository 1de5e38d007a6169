"""What each error of the Kafka client says about something that was to be sent: every class has a decision."""

import pytest
from aiokafka import errors
from aiokafka.errors import for_code

from outbox.kafka_errors import UNKNOWN, Blame, InvalidRecordError, classify, name
from tests.kafka_classes import ALL, make

RECORD = {"MessageSizeTooLargeError", "InvalidTimestampError", "InvalidRecordError"}
PLACE = {
    "CorruptRecordException",
    "InvalidRequiredAcksError",
    "InvalidTopicError",
    "KafkaStorageError",
    "LeaderNotAvailableError",
    "NotEnoughReplicasAfterAppendError",
    "NotEnoughReplicasError",
    "NotLeaderForPartitionError",
    "PolicyViolationError",
    "RecordListTooLargeError",
    "ReplicaNotAvailableError",
    "TopicAuthorizationFailedError",
    "UnknownError",
    "UnknownTopicOrPartitionError",
    "UnsupportedForMessageFormatError",
}
# A new class of a new aiokafka belongs into one of the three, and somebody has to say into which.
KAFKA = {
    # of the client
    *("AuthenticationFailedError", "AuthenticationMethodNotSupported", "Cancelled", "CommitFailedError"),
    *("CorrelationIdError", "IllegalArgumentError", "IllegalStateError", "IncompatibleBrokerVersion"),
    *("KafkaConfigurationError", "KafkaConnectionError", "KafkaError", "KafkaProtocolError", "KafkaTimeoutError"),
    *("KafkaUnavailableError", "MetadataEmptyBrokerList", "NoBrokersAvailable", "NoOffsetForPartitionError"),
    *("NodeNotReadyError", "ProducerClosed", "ProducerFenced", "QuotaViolationError", "RecordTooLargeError"),
    *("StaleMetadata", "TooManyInFlightRequests", "UnrecognizedBrokerVersion", "UnsupportedCodecError"),
    # of a spent producer
    *("DuplicateSequenceNumber", "InvalidProducerEpoch", "InvalidProducerIdMapping", "OutOfOrderSequenceNumber"),
    *("UnknownProducerId",),
    # of brokers, groups, transactions and administration
    *("BrokerNotAvailableError", "BrokerResponseError", "ClusterAuthorizationFailedError", "ConcurrentTransactions"),
    *("DelegationTokenAuthDisabled", "DelegationTokenAuthorizationFailed", "DelegationTokenExpired"),
    *("DelegationTokenNotFound", "DelegationTokenOwnerMismatch", "DelegationTokenRequestNotAllowed"),
    *("FetchSessionIdNotFound", "GroupAuthorizationFailedError", "GroupCoordinatorNotAvailableError"),
    *("GroupIdNotFound", "GroupLoadInProgressError", "IllegalGenerationError", "IllegalSaslStateError"),
    *("InconsistentGroupProtocolError", "InvalidCommitOffsetSizeError", "InvalidConfigurationError"),
    *("InvalidFetchRequestError", "InvalidFetchSessionEpoch", "InvalidGroupIdError", "InvalidPartitionsError"),
    *("InvalidPrincipalType", "InvalidReplicationAssignmentError", "InvalidReplicationFactorError"),
    *("InvalidRequestError", "InvalidSessionTimeoutError", "InvalidTransactionTimeout", "InvalidTxnState"),
    *("ListenerNotFound", "LogDirNotFound", "MemberIdRequired", "NoError", "NonEmptyGroup", "NotControllerError"),
    *("NotCoordinatorForGroupError", "OffsetMetadataTooLargeError", "OffsetOutOfRangeError", "OperationNotAttempted"),
    *("ReassignmentInProgress", "RebalanceInProgressError", "RequestTimedOutError", "SaslAuthenticationFailed"),
    *("SecurityDisabled", "StaleControllerEpochError", "StaleLeaderEpochCodeError", "TopicAlreadyExistsError"),
    *("TransactionCoordinatorFenced", "TransactionalIdAuthorizationFailed", "UnknownMemberIdError"),
    *("UnsupportedSaslMechanismError", "UnsupportedVersionError"),
}


def test_each_class_of_the_client_has_a_decision() -> None:
    assert sorted(ALL) == sorted(RECORD | PLACE | KAFKA)
    assert len(RECORD) + len(PLACE) + len(KAFKA) == len(ALL)


@pytest.mark.parametrize(
    ("names", "blame"), [(RECORD, Blame.RECORD), (PLACE, Blame.PLACE), (KAFKA, Blame.KAFKA)], ids=list(Blame)
)
def test_each_class_is_judged_as_decided(names: set[str], blame: Blame) -> None:
    assert {each: classify(make(each)) for each in names} == dict.fromkeys(names, blame)


@pytest.mark.parametrize("error", [OSError("no route"), ConnectionResetError(), TimeoutError()], ids=repr)
def test_what_the_system_says_of_a_connection_is_kafkas(error: Exception) -> None:
    assert isinstance(error, UNKNOWN)
    assert classify(error) is Blame.KAFKA


def test_error_that_the_client_does_not_know_is_known_by_its_number() -> None:
    assert for_code(87) is InvalidRecordError


def test_defects_of_ours_are_not_tried_again() -> None:
    assert not isinstance(ZeroDivisionError(), UNKNOWN)
    assert not isinstance(errors.IllegalOperation(), UNKNOWN)


def test_errors_are_named_as_kafkas_documentation_does() -> None:
    assert name(errors.NotEnoughReplicasError()) == "NOT_ENOUGH_REPLICAS"
    assert name(TimeoutError()) == "TimeoutError"
    assert name(errors.KafkaTimeoutError()) == "KafkaTimeoutError"
