"""Reading code without running it: what it does to the machine, and which names it defines."""
