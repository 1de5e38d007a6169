"""The topics: are they there, and do their settings keep what is written to them."""

from collections.abc import Iterator

from app.broker import TIME_STAMPS, TopicPlan, plan_topics
from app.doctor.finding import Finding, Verdict, failed, passed, warned
from app.settings import Settings, variable
from app.topic_facts import ClusterFacts, TopicFacts

Fault = tuple[Verdict, str, str]
"""How serious, what was seen, what to do."""


def check_cluster(facts: ClusterFacts) -> Finding:
    """Judge who answers."""
    if facts.mock:
        return warned(
            "kafka", "librdkafka's mock, which is not a real Kafka", "for a try only; see docs/local-stack.md"
        )
    return passed("kafka", f"{facts.brokers} {'broker' if facts.brokers == 1 else 'brokers'}")


def check_topics(facts: ClusterFacts, settings: Settings) -> Iterator[Finding]:
    """Judge each topic; its worst fault gives the verdict.

    Args:
        facts: what the brokers said.
        settings: of the service.
    """
    for plan in plan_topics(settings):
        name = f"topic {plan.name}"
        topic = facts.topics.get(plan.name)
        if topic is None:
            yield failed(name, "is missing, or may not be seen", "`squad topics create` makes it; or grant Describe")
            continue
        shown = f"{topic.partitions} partitions, {topic.copies} copies"
        faults = [*_copies_faults(topic, facts.brokers)]
        if plan.name not in settings.reply_topics:  # whose partitions are for those to choose who read there
            faults += _partition_faults(topic, settings)
        if topic.configs:
            faults += _config_faults(plan, topic, settings)
        if not faults:
            yield passed(name, shown)
            continue
        worst = Verdict.FAIL if any(fault[0] is Verdict.FAIL for fault in faults) else Verdict.WARN
        yield Finding(
            name=name,
            verdict=worst,
            found="; ".join([shown, *(found for _, found, _ in faults)]),
            advice="; ".join(dict.fromkeys(advice for _, _, advice in faults)),
        )


def _copies_faults(topic: TopicFacts, brokers: int) -> Iterator[Fault]:
    if topic.in_sync < topic.copies:
        yield (
            Verdict.WARN,
            f"only {topic.in_sync} of {topic.copies} copies in step",
            "see what became of the other broker",
        )
    if topic.copies < min(3, brokers):
        yield (
            Verdict.WARN,
            f"{topic.copies} copies on {brokers} brokers",
            "give it three copies, where there are brokers",
        )
    least = int(topic.configs.get("min.insync.replicas", "1"))
    if least > topic.in_sync:
        found = f"min.insync.replicas is {least}, which {topic.in_sync} copies in step do not reach"
        yield Verdict.FAIL, found, "nothing can be written: lower it, or bring the brokers back"
    elif topic.copies > least == 1:
        yield (
            Verdict.WARN,
            "min.insync.replicas is 1",
            "set it to 2: else what one broker acknowledged can be lost with it",
        )


def _partition_faults(topic: TopicFacts, settings: Settings) -> Iterator[Fault]:
    if topic.partitions != settings.topic_partitions:
        found = f"{variable('topic_partitions')} says {settings.topic_partitions}"
        yield Verdict.WARN, found, "make the setting say what is; adding partitions breaks the order of keys under way"


def _config_faults(plan: TopicPlan, topic: TopicFacts, settings: Settings) -> Iterator[Fault]:
    configs = topic.configs
    if plan.log_append_time and configs.get(TIME_STAMPS) != "LogAppendTime":
        found = f"{TIME_STAMPS} is {configs.get(TIME_STAMPS)}"
        yield Verdict.FAIL, found, f"set it to LogAppendTime, or {variable('accept_producer_time')} to true"
    if "compact" in configs.get("cleanup.policy", "delete"):
        yield (
            Verdict.FAIL,
            f"cleanup.policy is {configs['cleanup.policy']}",
            "set it to delete: compacting loses messages",
        )
    largest = int(configs.get("max.message.bytes", settings.relay_batch_max_bytes))
    if plan.name == settings.topic("commands"):
        retention = int(configs.get("retention.ms", "-1"))
        if 0 <= retention < settings.command_age_limit_seconds * 1000:
            found = f"retention.ms is {retention}, but producers may retry for {settings.command_age_limit_seconds:g} s"
            yield Verdict.WARN, found, "make it longer than the longest outage: what is deleted unread is lost"
    elif largest < settings.relay_batch_max_bytes:
        found = f"max.message.bytes is {largest}, less than the relay's {settings.relay_batch_max_bytes}"
        yield Verdict.FAIL, found, f"raise it, or lower {variable('relay_batch_max_bytes')}"
