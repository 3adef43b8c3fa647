"""The computer beneath: its kernel, its service manager, its C library."""
