"""Which source may send which commands, and where outcomes may go besides: what settings say, asked of each command.

A Kafka record carries no principal. The topic's ACL says who may write at all; this says who may speak as whom.
"""

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Final

from messages.envelope import Envelope
from messages.refusals import Reason, RefusedError

ANY: Final = ("*",)


class Permissions:
    """What a command may be, whatever is in it.

    Args:
        sources: the `source` values that may send, each with patterns of the types it may send (`*` stands for any
            text); plain values may send every type; empty: any source may send anything.
        reply_topics: the topics that a command may name for its outcome; empty: none.
    """

    def __init__(
        self, *, sources: Collection[str] | Mapping[str, Collection[str]] = (), reply_topics: Collection[str] = ()
    ) -> None:
        self._patterns = dict(sources) if isinstance(sources, Mapping) else dict.fromkeys(sources, ANY)
        self._reply_topics = frozenset(reply_topics)
        self._allowed: set[tuple[str, str]] = set()

    @property
    def is_open(self) -> bool:
        """Whether any source may send anything, so that nobody need be asked for."""
        return not self._patterns

    def check_source(self, envelope: Envelope) -> None:
        """See that a source may send this type.

        Raises:
            RefusedError: `source-forbidden`.
        """
        if (envelope.source, envelope.type) in self._allowed:
            return
        patterns = self._patterns.get(envelope.source)
        if patterns is None:
            raise RefusedError(Reason.SOURCE_FORBIDDEN, f"source {envelope.source} may not send commands here")
        if not any(fnmatchcase(envelope.type, pattern) for pattern in patterns):
            raise RefusedError(Reason.SOURCE_FORBIDDEN, f"source {envelope.source} may not send {envelope.type}")
        if len(self._allowed) < _REMEMBERED:
            self._allowed.add((envelope.source, envelope.type))

    def refuse_reply(self, envelope: Envelope) -> RefusedError | None:
        """Give why an outcome may not go where the command wants it; it will then go there on no account.

        Returns:
            `reply-forbidden`, or nothing. Not raised, because a command is known again by its data, to be read first.
        """
        topic = envelope.reply_to
        if topic is None or topic in self._reply_topics:
            return None
        envelope.reply_to = None
        return RefusedError(Reason.REPLY_FORBIDDEN, f"outcomes may not go to the topic {topic}")


_REMEMBERED: Final = 10_000
"""Pairs of source and type that are not looked up again; types can be made up by whoever may send all of them."""
