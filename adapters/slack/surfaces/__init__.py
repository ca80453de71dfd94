"""Interactive surfaces: what people press and fill in: buttons, modals, App Home, the shortcut."""
