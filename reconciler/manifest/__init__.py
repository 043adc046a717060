"""A directory of YAML manifests -> resources with file and line, or all that is wrong with them.

Every fault of every file is reported in one `ManifestError`. No network, no credentials, no code
of the manifests' authors is touched; `env.py` files are only looked for.
"""

from reconciler.manifest.documents import Checked, check, check_files, load, load_files, locate
from reconciler.manifest.edit import (
    add_documents,
    remove_document,
    replace_document,
    write_document,
)
from reconciler.manifest.files import NO_FILES, SUFFIXES, ManifestFile, ReadFiles, read_directory
from reconciler.manifest.overlay import check_overlay_names, read_overlays

__all__ = [
    "NO_FILES",
    "SUFFIXES",
    "Checked",
    "ManifestFile",
    "ReadFiles",
    "add_documents",
    "check",
    "check_files",
    "check_overlay_names",
    "load",
    "load_files",
    "locate",
    "read_directory",
    "read_overlays",
    "remove_document",
    "replace_document",
    "write_document",
]
