"""A broker is ready when it names brokers, not when its port is open."""

import socket
import struct
import threading

import pytest

import stack
from stack import StackError
from stack.kafka import answers_metadata
from stack.ports import LOOPBACK, find_free_port


@pytest.fixture
def serve_once():
    """Answers one connection on the loopback with given bytes; yields a function that returns the port."""
    threads = []

    def serve(answer):
        listener = socket.create_server((LOOPBACK, 0))

        def run():
            with listener:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1024)
                    connection.sendall(answer)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return listener.getsockname()[1]

    yield serve
    for thread in threads:
        thread.join(timeout=10)


def metadata_answer(*, brokers: int) -> bytes:
    broker = struct.pack(">ih", 1, 9) + b"127.0.0.1" + struct.pack(">i", 9092)
    body = struct.pack(">ii", 1, brokers) + broker * brokers + struct.pack(">i", 0)
    return struct.pack(">i", len(body)) + body


def test_an_answer_with_a_broker_is_ready(serve_once):
    assert answers_metadata(serve_once(metadata_answer(brokers=1)))


def test_an_answer_without_brokers_is_not_ready(serve_once):
    assert not answers_metadata(serve_once(metadata_answer(brokers=0)))


def test_an_open_port_that_says_nothing_is_not_ready(serve_once):
    assert not answers_metadata(serve_once(b""))


def test_a_closed_port_is_not_ready():
    assert not answers_metadata(find_free_port())


@pytest.mark.parametrize(("named", "is_ready"), [(2, False), (3, True)])
def test_a_cluster_is_ready_when_it_names_all_of_its_brokers(serve_once, named, is_ready):
    assert answers_metadata(serve_once(metadata_answer(brokers=named)), least_brokers=3) is is_ready


def test_several_brokers_of_others_are_not_ours_to_start():
    external = {"SQUAD_DATABASE_URL": "postgresql://db/squad", "SQUAD_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}

    with pytest.raises(StackError, match="3 brokers are started as processes of this machine only"):
        stack.start(name="three", brokers=3, environment=external)
