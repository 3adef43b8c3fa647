"""The scene scripts run inside Blender's Python: pytest looks at none of them but the tests."""

collect_ignore_glob = ["[!t]*.py", "t[!e]*.py"]
