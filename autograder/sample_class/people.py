"""Names for a class, and what its members write where no grader but a person reads."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Person", "people", "written_answer"]

_FIRST = """
    Amara Björn Chiara Diego Elif Farid Greta Haruka Imani Jonas Keiko Leila Mateo Nadia Oskar Priya Quentin Rosa
    Sanjay Tereza Ulrike Viktor Wanjiru Ximena Yusuf Zofia Aaliyah Bao Camille Dmitri Esther Finn Gabriela Hassan
    Ingrid Jamal Kateryna Luca Mei Nikolai Olivia Pedro Ravi Sofia Thandiwe Uma Valentina Wei Yara Zeynep
""".split()
_LAST = """
    Abebe Bianchi Castillo Dubois Eriksen Fofana García Hoang Ivanova Jensen Kowalska Lindqvist Mbeki Nakamura
    Okafor Petrov Quispe Rossi Sharma Tanaka Uzun Vargas Weber Xu Yılmaz Zhang Adeyemi Berger Chowdhury Demir
    Ekström Fernandes Gupta Haddad Ibrahim Joshi Kim Larsen Moreau Novák Oliveira Park Rahman Schneider Traoré
    Usman Van-Dijk Wójcik Yang Zielinski
""".split()

_OPENERS = ("", "", "I think that ", "As I understand it: ", "In my words: ", "From the experiment above: ")
_UNSURE = (
    "I am not sure about this one.",
    "I ran out of time here, sorry.",
    "The plot looked different for me, so I cannot say.",
)


@dataclass(frozen=True)
class Person:
    """One member of the class."""

    id: str
    first_name: str
    last_name: str

    @property
    def email(self) -> str:
        """An address in a domain that is reserved for examples (RFC 2606)."""
        return f"{self.id}@example.edu"


def people(count: int, rng: random.Random) -> list[Person]:
    """So many persons with different ids: initial and last name, numbered where two agree."""
    found: list[Person] = []
    taken: dict[str, int] = {}
    while len(found) < count:
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        base = _plain(first[0] + last)
        taken[base] = taken.get(base, 0) + 1
        found.append(Person(base if taken[base] == 1 else f"{base}{taken[base]}", first, last))
    return found


def _plain(name: str) -> str:
    """Lower-case ASCII letters only."""
    decomposed = unicodedata.normalize("NFKD", name.replace("ı", "i").replace("ø", "o").replace("ł", "l"))
    return re.sub(r"[^a-z]", "", decomposed.lower())


def written_answer(model_answer: str, rng: random.Random) -> str | None:
    """An answer that knows part of the model answer; None where the student left the cell as it was."""
    chance = rng.random()
    if chance < 0.1:
        return None
    sentences = _sentences(model_answer)
    if chance < 0.2 or not sentences:
        return rng.choice(_UNSURE)
    kept = [sentence for sentence in sentences if rng.random() < 0.6] or [rng.choice(sentences)]
    opener = rng.choice(_OPENERS)
    first = kept[0][0].lower() + kept[0][1:] if opener.endswith("that ") else kept[0]
    return "\n".join([opener + first, *kept[1:]])


def _sentences(text: str) -> list[str]:
    plain = re.sub(r"^(#|>|\||\s*```).*$", "", text, flags=re.MULTILINE)
    parts = re.split(r"(?<=[.!?])\s+", " ".join(plain.split()))
    return [part for part in parts if len(part) > 20]
