"""Tests in a whole Debian of its own: a real systemd that starts, watches, restarts and stops the service.

python3 -m tests.box.build /var/tmp/sorter-box        # once, as root: some three minutes, 800 MB
pytest tests/box --box /var/tmp/sorter-box
"""
