"""Whether and how text is coloured: one object decides, nothing else asks."""

from dataclasses import dataclass

_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Style:
    """Wraps text in terminal colours, or leaves it alone."""

    colour: bool = False

    def paint(self, text: str, *names: str) -> str:
        """The text in these colours (`bold`, `red`, `green`, `yellow`, `cyan`, `dim`)."""
        if not self.colour or not text:
            return text
        codes = ";".join(_CODES[name] for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"
