import re
import time

PER_MILLION = {
    "gpt-4o-mini": {"in": 0.15, "out": 0.60},
    "gpt-4o": {"in": 2.50, "out": 10.00},
    "claude-3-5-sonnet": {"in": 3.00, "out": 15.00},
    "claude-3-opus": {"in": 15.00, "out": 75.00},
}


def cost(model: str, tokens_in: int, tokens_out: int) -> float | None:
    name = re.sub(r"-\d{4}-?\d{2}-?\d{2}$", "", model)
    if name not in PER_MILLION:
        return None
    return (tokens_in * PER_MILLION[name]["in"] + tokens_out * PER_MILLION[name]["out"]) / 1e6


class Ledger:
    def __init__(self) -> None:
        self.day = 0
        self.spent = 0.0

    def today(self) -> float:
        day = int(time.time() // 86400)
        if day != self.day:
            self.day, self.spent = day, 0.0
        return self.spent

    def add(self, amount: float) -> None:
        self.spent = self.today() + amount


ledger = Ledger()
