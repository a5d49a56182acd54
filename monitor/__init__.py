"""recallwatch: watches the retrieval quality of a production RAG and pages when a swap makes it worse.

In notebooks and tests: ``from monitor import compare, measure, read_suite, Suite, Policy``. The names are imported on
first use, so that `import monitor` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.library.measuring import compare, measure, per_query, read_suite
    from monitor.model.policies import Policy
    from monitor.model.suites import Suite

__version__ = "0.1.0"
__all__ = ["Policy", "Suite", "__version__", "compare", "measure", "per_query", "read_suite"]

_HOMES = {
    "compare": "monitor.library.measuring:compare",
    "measure": "monitor.library.measuring:measure",
    "per_query": "monitor.library.measuring:per_query",
    "read_suite": "monitor.library.measuring:read_suite",
    "Policy": "monitor.model.policies:Policy",
    "Suite": "monitor.model.suites:Suite",
}


def __getattr__(name: str) -> Any:
    """A public name, imported on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'monitor' has no attribute {name!r}")
    import importlib

    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
