"""Who is told: one publisher a module."""
