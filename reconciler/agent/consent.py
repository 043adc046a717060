"""The words a write needs, and what a call lacks of them. Pure."""

from dataclasses import dataclass

from reconciler.agent.request import Flaw, SpecError

DRY_RUN = "dry_run=False"
CONFIRMED = "confirmed=True"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a call lacks to write anything; nothing lacks only where it said every word itself.

    `dry_run` says whether the call is a preview on purpose, or a real run that lacks something.
    """

    missing: tuple[str, ...]
    dry_run: bool

    @property
    def given(self) -> bool:
        """Whether the call may write."""
        return not self.missing

    def ask(self, purpose: str) -> str:
        """How to get from what was shown to a real run."""
        both = " and ".join(f"`{word}`" for word in self.missing)
        return f"Nothing was changed. {purpose}, call this function again with {both}."


def consent_to_create(dry_run: object, confirmed: object, *, dry_run_default: bool) -> Consent:
    """What `dry_run` and `confirmed` amount to. Raises `SpecError` if they are no booleans.

    A model may send "false" or 1, which Python would take for true: those are refused.
    """
    _require_booleans(dry_run=dry_run, confirmed=confirmed)
    missing = [] if dry_run is False else [DRY_RUN]
    missing += [] if confirmed is True else [CONFIRMED]
    return Consent(tuple(missing), dry_run is True or (dry_run is None and dry_run_default))


def consent_to_delete(confirmed: object) -> Consent:
    """What `confirmed` amounts to. Raises `SpecError` if it is no boolean."""
    _require_booleans(confirmed=confirmed)
    return Consent(() if confirmed is True else (CONFIRMED,), dry_run=False)


def _require_booleans(**given: object) -> None:
    flaws = []
    for name, value in given.items():
        if isinstance(value, bool) or (name == "dry_run" and value is None):
            continue
        allowed = "True, False or None" if name == "dry_run" else "True or False"
        flaws.append(Flaw(f"{name} has to be {allowed}, not {type(value).__name__}"))
    if flaws:
        raise SpecError(flaws)
