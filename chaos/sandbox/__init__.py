"""Services in boxes of their own on this machine: bubblewrap around each, and networks that nothing leads out of."""
