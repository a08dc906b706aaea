"""Questions, each in other words and for the opposite. In the lab's vectors, paraphrases are near and opposites are far."""

from dataclasses import dataclass

from lab.axes import Axis


@dataclass(frozen=True, slots=True)
class Question:
    """A question, as it is asked first; each text has a place for a key."""

    asked: str
    paraphrase: str
    opposite: str


QUESTIONS = Axis(
    "questions",
    {
        "maps": Question(
            "In which room of the old library may visitors read the maps filed under {key} before noon on weekdays?",
            "Before noon on weekdays, the maps filed under {key}: in which room of the old library may visitors read them?",
            "In which room of the new library must staff lock away the maps filed under {key} after dusk on holidays?",
        ),
        "gates": Question(
            "At what hour does the northern gate of the harbour open for fishing boats that carry the permit {key}"
            " at low tide?",
            "For fishing boats that carry the permit {key}, at what hour does the northern gate of the harbour open,"
            " when at low tide?",
            "At what hour does the southern gate of the harbour close to cargo ships that lack the permit {key}"
            " at high water?",
        ),
    },
)
