"""pydantic's errors -> faults in plain words: where, what is wrong, how to put it right.

Used for manifests and for `reconciler.yaml`. The words never repeat a value, which may be secret;
names of fields and the values that a field may have are no secret.
"""

from reconciler.field_errors.field_faults import (
    Fault,
    explain,
    field_names,
    labelled,
    missing_field,
    without_misspelt,
)

__all__ = [
    "Fault",
    "explain",
    "field_names",
    "labelled",
    "missing_field",
    "without_misspelt",
]
