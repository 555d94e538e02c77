"""One file a command, with `add_arguments(parser)` and `run(args, course) -> exit status`."""
