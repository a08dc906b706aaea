"""Services in containers: the engine's API, a network that nothing leads out of, and the lab's place in it."""
