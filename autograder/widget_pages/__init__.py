"""Widgets as web pages that need neither Python nor a network: their numbers, recorded, and drawn as the live ones."""
