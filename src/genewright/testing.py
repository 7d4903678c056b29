"""What somebody else's operator or backend is tested with: the public conformance suites.

from genewright.testing import check_backend, check_operator
"""

from __future__ import annotations

from genewright.conformance import check_operator
from genewright.conformance.primitives import check_backend

__all__ = ["check_backend", "check_operator"]
