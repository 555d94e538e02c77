"""Attacks on the grader: each a submission with a wrong answer and a trick (`docs/security.md`)."""
