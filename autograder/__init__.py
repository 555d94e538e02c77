"""What an instructor runs: release, sandbox, verification, gradebook, reports."""

import sys

# nbformat imports jsonschema, which would compile a grammar of internationalized addresses: a second of processor time
# at every start of a program. No notebook has such a field; without this package jsonschema leaves that one check out.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
