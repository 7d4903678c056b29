"""What somebody else's operator is tested with: the public conformance suite.

from genewright.testing import check_operator
"""

from __future__ import annotations

from genewright.conformance import check_operator

__all__ = ["check_operator"]
