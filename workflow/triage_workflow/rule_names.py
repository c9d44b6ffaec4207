"""Names of rules that there is one of for each study or external set.

None is that of another rule, whatever studies are called: no setting's name has a hyphen, and no
rule's own name ends as a target does.
"""

from __future__ import annotations


def of_source(step: str, source: str) -> str:
    """The rule of a step for a study or an external set: index-lesions-external-hospital_b."""
    return f"{step}-{source.replace('/', '-')}"


def target(study: str, step: str) -> str:
    """What people call the files of one step of a study: lesions_training."""
    return f"{study}_{step}"
