"""The bad commands that batches are tried with are of every kind there is."""

from domain.rejections import Code
from messages.refusals import Reason
from tests.bad_commands import UNTRIED
from tests.bad_records import REFUSED
from tests.rejected_commands import REJECTED


def test_there_is_a_bad_command_for_every_code_and_reason():
    """Missing: add one to `REFUSED` or `REJECTED`; or to `UNTRIED`, if it cannot be made."""
    tried = {code for code, _ in REJECTED.values()} | {reason for reason, _ in REFUSED.values()}

    assert tried | UNTRIED == {*Code, *Reason}
    assert not tried & UNTRIED
