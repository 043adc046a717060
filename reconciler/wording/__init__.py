"""pydantic's errors -> faults in plain words: where, what is wrong, how to put it right.

Used for manifests and for `reconciler.yaml`. The words never repeat a value, which may be secret;
names of fields and the values that a field may have are no secret.
"""

from reconciler.wording.conflicts import CONFLICT, FINISH_MERGE, conflict_line
from reconciler.wording.explain import Fault, explain, labelled, missing_field, without_misspelt
from reconciler.wording.models import field_names
from reconciler.wording.names import DataPath, below, did_you_mean, label, nearest, shorten

__all__ = [
    "CONFLICT",
    "FINISH_MERGE",
    "DataPath",
    "Fault",
    "below",
    "conflict_line",
    "did_you_mean",
    "explain",
    "field_names",
    "label",
    "labelled",
    "missing_field",
    "nearest",
    "shorten",
    "without_misspelt",
]
