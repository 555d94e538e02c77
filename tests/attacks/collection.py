"""All attacks on one submission's grading."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.channel import CHANNEL
from tests.attacks.exhaustion import EXHAUSTION
from tests.attacks.forgeries import FORGERIES
from tests.attacks.host import HOST
from tests.attacks.hostile_values import HOSTILE_VALUES
from tests.attacks.notebooks import NOTEBOOKS

__all__ = ["ATTACKS", "GROUPS"]

GROUPS: dict[str, tuple[Attack, ...]] = {
    "forgery": FORGERIES,
    "channel": CHANNEL,
    "value": HOSTILE_VALUES,
    "resource": EXHAUSTION,
    "host": HOST,
    "notebook": NOTEBOOKS,
}
ATTACKS: tuple[Attack, ...] = tuple(attack for group in GROUPS.values() for attack in group)
