"""Audit: chain + bundle -> Report. Is all of it true?"""

from ame.audit.auditor import audit
from ame.audit.facts import ChainFacts, PoolBooks, PoolEvent
from ame.audit.report import Check, Report, Verdict

__all__ = ["ChainFacts", "Check", "PoolBooks", "PoolEvent", "Report", "Verdict", "audit"]
