"""Says that it was asked."""


def enable_custom_widget_manager() -> None:
    """Widgets from elsewhere are drawn from now on."""
    print("custom widgets are on")
