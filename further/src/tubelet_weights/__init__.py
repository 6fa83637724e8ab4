"""Further weights of tubelet; `tubelet.checkpoint` finds them, and there is nothing here to import."""
