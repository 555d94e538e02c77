"""The networks: tiny ones that exercises are judged on, small ones that experiments train."""
