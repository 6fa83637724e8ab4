"""What may be written, and how: beside the target and renamed, so that a target is whole or absent."""

from tubelet.files.lock import locked
from tubelet.files.made import no_empty_folders
from tubelet.files.names import fitted_name, printable
from tubelet.files.replace import output_errors, replacing, replacing_folder
from tubelet.files.targets import STANDARD_OUTPUT, check_folder, check_suffix, check_target, check_targets

__all__ = [
    "STANDARD_OUTPUT",
    "check_folder",
    "check_suffix",
    "check_target",
    "check_targets",
    "fitted_name",
    "locked",
    "no_empty_folders",
    "output_errors",
    "printable",
    "replacing",
    "replacing_folder",
]
